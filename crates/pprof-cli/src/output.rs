//! Source files for a report, and its way to a file or standard output,
//! compressed or drawn where asked.

use std::cell::RefCell;
use std::io::ErrorKind;

use shakedown_pprof::gzip;
use shakedown_pprof::report::{Command, Sources};

use crate::arguments::Arguments;
use crate::{Stop, World};

/// Lets `report` write itself, with source files from the world.
///
/// What goes to standard output as it is goes there while it is made.
pub(crate) fn write(
    arguments: &Arguments,
    world: &mut dyn World,
    report: impl FnOnce(&Files<'_>, &mut dyn FnMut(&[u8])) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let is_packed = matches!(arguments.command, Command::Proto | Command::TopProto);
    let files = Files::of(world);
    if arguments.output.is_empty() && !is_packed && arguments.drawn_as.is_none() {
        let mut shown = Ok(());
        report(&files, &mut |piece| {
            if shown.is_ok() {
                shown = files.world.borrow_mut().stdout(piece);
            }
        })?;
        return shown.map_err(Stop::failed);
    }
    let mut whole = Vec::new();
    report(&files, &mut |piece| whole.extend_from_slice(piece))?;
    let bytes = match arguments.drawn_as {
        None if is_packed => gzip(&whole),
        None => whole,
        Some(format) => {
            let drawn = world.pipe("dot", &[&format!("-T{format}")], &whole);
            drawn.map_err(|why| {
                let hint = "failed to execute dot. Is Graphviz installed?";
                Stop::Failed(format!("{hint} Error: {why}"))
            })?
        }
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
