//! Source files for a report, and its way to a file or standard output,
//! compressed or drawn where asked.

use std::cell::{Cell, OnceCell, RefCell};
use std::io::ErrorKind;

use shakedown_pprof::gzip;
use shakedown_pprof::report::{Command, Sources};

use crate::arguments::Arguments;
use crate::go_sources::Places;
use crate::{Stop, World};

/// Lets `report` write itself, with source files from the world.
///
/// What goes to standard output as it is goes there while it is made.
pub(crate) fn write(
    arguments: &Arguments,
    world: &mut dyn World,
    report: impl FnOnce(&Files<'_>, &mut dyn FnMut(&[u8])) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let is_packed = matches!(arguments.command, Command::Proto | Command::TopProto)
        && arguments.drawn_as.is_none();
    let files = Files::of(world, &arguments.options.source_path);
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
    report(&files, &mut |piece| match is_packed {
        // Several members in a row are one file.
        true => whole.extend(gzip(piece)),
        false => whole.extend_from_slice(piece),
    })?;
    let bytes = match arguments.drawn_as {
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
    search_path: &'w str,
    /// Where Go keeps files; looked for when the first one is missed.
    places: OnceCell<Places>,
    /// True once it was said that files of the standard library are those of this machine.
    has_warned: Cell<bool>,
}

impl<'w> Files<'w> {
    pub(crate) fn of(world: &'w mut dyn World, search_path: &'w str) -> Self {
        Files {
            world: RefCell::new(world),
            search_path,
            places: OnceCell::new(),
            has_warned: Cell::new(false),
        }
    }

    /// A profile does not say which version of Go the program was built with.
    fn warn_of_versions(&self, path: &str, places: &Places) {
        if places.is_standard(path) && !self.has_warned.replace(true) {
            let (root, _) = path.split_once("/src/").unwrap_or((path, ""));
            let mut world = self.world.borrow_mut();
            let version = world.read(&format!("{root}/VERSION")).unwrap_or_default();
            let version = String::from_utf8_lossy(&version);
            let version = version.lines().next().unwrap_or("of unknown version");
            world.stderr(&format!(
                "Source of the standard library is that of {root} ({version}); \
                 the program may be built with another\n"
            ));
        }
    }
}

impl Sources for Files<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let read = self.world.borrow_mut().source(path);
        read.map_err(|error| {
            let why = match error.kind() {
                ErrorKind::NotFound => "no such file or directory".to_owned(),
                ErrorKind::PermissionDenied => "permission denied".to_owned(),
                ErrorKind::InvalidData => "not a source file".to_owned(),
                _ => error.to_string(),
            };
            format!("open {path}: {why}")
        })
    }

    fn elsewhere(&self, path: &str) -> Option<Vec<u8>> {
        let places = self.places.get_or_init(|| {
            let mut world = self.world.borrow_mut();
            let search_path = match self.search_path {
                "" => world.working_directory(),
                path => path.to_owned(),
            };
            Places::of(&search_path, &mut **world)
        });
        let candidates = places.candidates(path);
        let (path, bytes) = candidates.into_iter().find_map(|path| {
            let bytes = self.world.borrow_mut().source(&path).ok()?;
            Some((path, bytes))
        })?;
        self.warn_of_versions(&path, places);
        Some(bytes)
    }

    fn working_directory(&self) -> String {
        self.world.borrow().working_directory()
    }
}
