//! Source files for a report, and its way to a file or standard output,
//! compressed or drawn where asked.

use std::cell::RefCell;
use std::io::{ErrorKind, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use shakedown_pprof::report::{Command, Sources};

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

/// Source files of a world.
pub(crate) struct Files<'w> {
    world: RefCell<&'w mut dyn World>,
}

impl<'w> Files<'w> {
    pub(crate) fn of(world: &'w mut dyn World) -> Self {
        Files {
            world: RefCell::new(world),
        }
    }
}

impl Sources for Files<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let read = self.world.borrow_mut().read(path);
        read.map_err(|error| {
            let why = match error.kind() {
                ErrorKind::NotFound => "no such file or directory".to_owned(),
                ErrorKind::PermissionDenied => "permission denied".to_owned(),
                _ => error.to_string(),
            };
            format!("open {path}: {why}")
        })
    }

    fn working_directory(&self) -> String {
        self.world.borrow().working_directory()
    }
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}
