//! `-symbolize`: names and lines of addresses, from the programs that the profile names.
//!
//! Nothing is done for mappings that are symbolized already, as those of Go's runtime are, so
//! that an ordinary profile costs nothing here.
//!
//! Source: google/pprof, internal/symbolizer/symbolizer.go.

use std::collections::HashMap;
use std::io::ErrorKind;

use shakedown_pprof::{FunctionId, Line, LocationId, Mapping, MappingId, Profile, SimpleNames};
use shakedown_symbols::{Frame, Mapped, Names, Symbols, demangle};

use crate::arguments::Arguments;
use crate::{World, remote};

/// Where names come from, and how they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mode {
    local: Option<Detail>,
    force: bool,
    /// `None` leaves the linker's names.
    names: Option<Names>,
}

/// How much of a program is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Every inlined call, with its line.
    Frames,
    /// What `go tool pprof` asks: inlined calls count for the function that has the code, under
    /// the line of the innermost; and of Go programs only.
    GoTool,
    /// The function alone.
    Names,
}

impl Mode {
    /// Reads the words of the flag; nothing for `none`.
    fn of(words: &str, world: &mut dyn World) -> Option<Self> {
        let mut mode = Mode {
            local: Some(Detail::Frames),
            force: false,
            names: Some(Names::Simple),
        };
        let demangled = |mode: &mut Mode, names| (mode.names, mode.force) = (names, true);
        for word in words.to_lowercase().split(':') {
            match word {
                "none" | "no" => return None,
                "" | "demangle=default" => {}
                "local" => mode.local = Some(mode.local.unwrap_or(Detail::Frames)),
                "fastlocal" => mode.local = Some(Detail::Names),
                "gotool" => mode.local = Some(Detail::GoTool),
                "remote" => mode.local = None,
                "force" => mode.force = true,
                "demangle=full" => demangled(&mut mode, Some(Names::Full)),
                "demangle=templates" => demangled(&mut mode, Some(Names::Templates)),
                "demangle=none" => demangled(&mut mode, None),
                _ => world.stderr(&format!(
                    "ignoring unrecognized symbolization option: {words}\n\
                     expecting -symbolize=[local|fastlocal|gotool|remote|none][:force]\
                     [:demangle=[none|full|templates|default]\n"
                )),
            }
        }
        Some(mode)
    }
}

/// Does what `-symbolize` asks for: programs of this machine first, then the servers. A profile that was fetched names its source where it names no
/// program, and misses nothing then.
pub(crate) fn symbolize(
    profile: &mut Profile,
    servers: &remote::Symbols,
    is_remote: bool,
    arguments: &Arguments,
    world: &mut dyn World,
) {
    let mode = Mode::of(&arguments.symbolize, world);
    if let Some((mode, detail)) = mode.and_then(|mode| Some((mode, mode.local?))) {
        local(profile, detail, mode.force, is_remote, world);
    }
    servers.ask(profile, arguments, world);
    let Some(mode) = mode else {
        return;
    };
    match mode.names {
        // Without demangling, names are the linker's again, and nothing more.
        None => profile.simplify_names(SimpleNames::Full, mode.force, &|_| None),
        Some(names) => {
            let rest = match names {
                Names::Simple => SimpleNames::Bare,
                Names::Templates => SimpleNames::Templates,
                Names::Full => SimpleNames::Full,
            };
            profile.simplify_names(rest, mode.force, &|name| demangle(name, names));
        }
    }
}

/// Names and lines of every mapping that has none, from the file that was mapped.
fn local(
    profile: &mut Profile,
    detail: Detail,
    force: bool,
    is_remote: bool,
    world: &mut dyn World,
) {
    let mut by_mapping: HashMap<MappingId, Vec<LocationId>> = HashMap::new();
    for (id, location) in profile.location_ids().zip(profile.locations()) {
        if let Some(mapping) = location.mapping {
            by_mapping.entry(mapping).or_default().push(id);
        }
    }
    let mut functions = Functions::new();
    let mut is_missing = false;
    for (index, id) in profile.mapping_ids().enumerate() {
        let (Some(mapping), Some(locations)) = (profile.mappings().get(index), by_mapping.get(&id))
        else {
            continue;
        };
        let knows = mapping.has_functions || mapping.has_filenames || mapping.has_line_numbers;
        let program = Program::of(profile, mapping);
        if (knows && !force) || program.is_elsewhere() || (is_remote && program.file.is_empty()) {
            continue;
        }
        if program.file.is_empty() {
            match index {
                0 => world.stderr("Main binary filename not available.\n"),
                _ => is_missing = true,
            }
            continue;
        }
        let bytes = match open(&program.file, world) {
            Ok(bytes) => bytes,
            Err(why) => {
                world.stderr(&program.failed(&why));
                is_missing = true;
                continue;
            }
        };
        // What cannot be read was refused when it was opened.
        let Ok(symbols) = Symbols::parse(&bytes) else {
            continue;
        };
        let found = symbols.build_id();
        if !program.build_id.is_empty() && found.is_some_and(|id| id != program.build_id) {
            world.stderr(&program.failed("build ID mismatch"));
            continue;
        }
        let frames = |address: u64| frames(&symbols, program.mapped, address, detail);
        one(profile, id, locations, &frames, &mut functions);
    }
    if is_missing {
        world.stderr(
            "Some binary filenames not available. Symbolization may be incomplete.\n\
             Try setting PPROF_BINARY_PATH to the search path for local binaries.\n",
        );
    }
}

/// A mapping as far as it leads to a file.
struct Program {
    file: String,
    build_id: String,
    mapped: Mapped,
}

impl Program {
    fn of(profile: &Profile, mapping: &Mapping) -> Self {
        Program {
            file: profile.text(mapping.file).to_owned(),
            build_id: profile.text(mapping.build_id).to_owned(),
            mapped: Mapped {
                start: mapping.start,
                limit: mapping.limit,
                offset: mapping.offset,
            },
        }
    }

    fn name(&self) -> &str {
        let mut parts = self.file.rsplit('/');
        parts.find(|part| !part.is_empty()).unwrap_or("/")
    }

    /// True for what the kernel maps, for what was never a file, and for the address of a server.
    fn is_elsewhere(&self) -> bool {
        let scheme = self.file.split_once("://").map_or("", |(scheme, _)| scheme);
        let is_url = self.build_id.is_empty() && scheme.to_lowercase().contains("http");
        let starts = |prefix: &str| self.file.starts_with(prefix);
        let name = self.name();
        let is_kernels = name.starts_with('[') || name.starts_with("linux-vdso");
        let is_no_file = starts("/dev/dri/") || starts("/memfd:") || self.file == "//anon";
        !self.file.is_empty() && (is_url || is_kernels || is_no_file)
    }

    fn failed(&self, why: &str) -> String {
        let id = match self.build_id.as_str() {
            "" => String::new(),
            id => format!(" (build ID {id})"),
        };
        format!(
            "Local symbolization failed for {}{id}: {why}\n",
            self.name()
        )
    }
}

/// The content of a program, or why it cannot be had, as Go says it.
fn open(file: &str, world: &mut dyn World) -> Result<Vec<u8>, String> {
    let bytes = world.program(file).map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("open {file}: no such file or directory"),
        ErrorKind::PermissionDenied => format!("open {file}: permission denied"),
        ErrorKind::InvalidData => format!("open {file}: unrecognized object file"),
        _ => format!("open {file}: {error}"),
    })?;
    match Symbols::parse(&bytes) {
        Ok(_) => Ok(bytes),
        Err(why) => Err(format!("open {file}: unrecognized object file ({why})")),
    }
}

fn frames(symbols: &Symbols<'_>, mapped: Mapped, address: u64, detail: Detail) -> Vec<Frame> {
    let Ok(place) = symbols.place(mapped, address) else {
        return Vec::new();
    };
    match detail {
        Detail::Frames => {
            let mut frames = symbols.frames(place);
            // Go's runtime does not show what the compiler wrote, where that calls what somebody
            // wrote; a profile that it symbolized reads the same.
            let is_written = |frame: &Frame| frame.file != "<autogenerated>";
            if frames.iter().any(is_written) {
                frames.retain(is_written);
            }
            frames
        }
        Detail::Names => {
            let name = symbols.name(place).map(|system_name| Frame {
                system_name,
                ..Frame::default()
            });
            name.into_iter().collect()
        }
        Detail::GoTool if !symbols.is_go() => Vec::new(),
        Detail::GoTool => {
            let frames = symbols.frames(place);
            let (Some(inner), Some(outer)) = (frames.first(), frames.last()) else {
                return frames;
            };
            let whole = Frame {
                system_name: outer.system_name.clone(),
                file: inner.file.clone(),
                line: inner.line,
                ..Frame::default()
            };
            // A name without a line is nothing to it.
            let is_shown = whole.line != 0 || !whole.file.is_empty();
            is_shown.then_some(whole).into_iter().collect()
        }
    }
}

/// Gives the locations of one mapping their lines.
fn one(
    profile: &mut Profile,
    mapping: MappingId,
    locations: &[LocationId],
    frames: &dyn Fn(u64) -> Vec<Frame>,
    functions: &mut Functions,
) {
    let mut known = profile
        .mappings()
        .get(mapping.index())
        .copied()
        .unwrap_or_default();
    for id in locations {
        let address = profile.locations().get(id.index()).map_or(0, |l| l.address);
        let mut lines = Vec::new();
        for frame in frames(address) {
            known.has_functions |= !frame.system_name.is_empty();
            known.has_filenames |= !frame.file.is_empty();
            known.has_line_numbers |= frame.line != 0;
            known.has_inline_frames = true;
            lines.push(Line {
                function: functions.id(profile, &frame),
                line: frame.line.into(),
                column: frame.column.into(),
            });
        }
        if !lines.is_empty() {
            profile.set_lines(*id, &lines);
        }
    }
    if let Some(mapping) = profile.mapping_mut(mapping) {
        *mapping = known;
    }
}

/// Functions that symbolizing has met, so that each comes once.
struct Functions {
    known: HashMap<(String, String, u32), FunctionId>,
}

impl Functions {
    fn new() -> Self {
        Functions {
            known: HashMap::new(),
        }
    }

    fn id(&mut self, profile: &mut Profile, frame: &Frame) -> FunctionId {
        let key = (
            frame.system_name.clone(),
            frame.file.clone(),
            frame.start_line,
        );
        *self.known.entry(key).or_insert_with(|| {
            profile.push_function(&frame.system_name, &frame.file, frame.start_line.into())
        })
    }
}
