//! From a report to a file or standard output, compressed or drawn where asked.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use shakedown_pprof::report::Command;

use crate::arguments::Arguments;
use crate::{Stop, World};

pub(crate) fn write(
    arguments: &Arguments,
    report: Vec<u8>,
    world: &mut dyn World,
) -> Result<(), Stop> {
    let bytes = match (&arguments.command, arguments.drawn_as) {
        (Command::Proto | Command::TopProto, _) => gzip(&report).map_err(Stop::failed)?,
        (_, Some(format)) => {
            let drawn = world.pipe("dot", &[&format!("-T{format}")], &report);
            drawn.map_err(|why| {
                let hint = "failed to execute dot. Is Graphviz installed?";
                Stop::Failed(format!("{hint} Error: {why}"))
            })?
        }
        _ => report,
    };
    match arguments.output.as_str() {
        "" => world.stdout(&bytes).map_err(Stop::failed),
        path => {
            world.stderr(&format!("Generating report in {path}\n"));
            world
                .write(path, &bytes)
                .map_err(|error| Stop::Failed(format!("open {path}: {error}")))
        }
    }
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}
