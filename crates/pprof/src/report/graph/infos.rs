//! What makes two frames one node, and the frames of each location.
//!
//! Source: google/pprof, internal/graph/graph.go `NodeInfo`, `CreateNodes`.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;

use crate::hash::Quick;
use crate::paths::{base, clean};
use crate::{Line, LocationId, Profile};

/// What a node stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::report) struct Info<'p> {
    pub(in crate::report) name: &'p str,
    pub(in crate::report) file: Cow<'p, str>,
    pub(in crate::report) line: i64,
    pub(in crate::report) column: i64,
    pub(in crate::report) address: u64,
    /// First line of the function, where it tells nodes apart.
    pub(in crate::report) start: i64,
    /// The mapped file, where it tells nodes apart.
    pub(in crate::report) object: &'p str,
}

impl Info<'_> {
    /// The texts a name is made of, with `name` and `file` said instead of its own.
    pub(in crate::report) fn parts(&self, name: &str, file: &str) -> Vec<String> {
        let mut parts = Vec::new();
        if self.address != 0 {
            parts.push(format!("{:016x}", self.address));
        }
        if !name.is_empty() {
            parts.push(name.to_owned());
        }
        if self.line != 0 {
            let mut place = format!("{file}:{}", self.line);
            if self.column != 0 {
                place += &format!(":{}", self.column);
            }
            parts.push(place);
        } else if !file.is_empty() {
            parts.push(file.to_owned());
        } else if name.is_empty() {
            parts.push(match self.object {
                "" => "<unknown>".to_owned(),
                object => format!("[{}]", base(object)),
            });
        }
        parts
    }

    pub(in crate::report) fn printable(&self) -> String {
        if !self.name.is_empty() && self.address == 0 && self.line == 0 && self.file.is_empty() {
            return self.name.to_owned();
        }
        self.parts(self.name, &self.file).join(" ")
    }

    /// An order for nodes that print alike.
    pub(in crate::report) fn compare(&self, other: &Self) -> Ordering {
        let key = |i: &Self| {
            format!(
                "{} {} {} {} {} {} {}",
                i.name, i.address, i.file, i.start, i.line, i.column, i.object
            )
        };
        match self == other {
            true => Ordering::Equal,
            false => key(self).cmp(&key(other)),
        }
    }
}

/// Nodes to be, and those of each location.
pub(in crate::report) struct Frames<'p> {
    pub(in crate::report) infos: Vec<Info<'p>>,
    /// The info of each frame; a location's frames stand together, innermost first.
    infos_of: Vec<u32>,
    /// Where the frames of each location begin; one more entry ends the last.
    starts: Vec<u32>,
}

/// How many bytes of a path are cut before it is compared and shown.
pub(in crate::report) type TrimPath<'a> = &'a dyn Fn(&str) -> usize;

/// Small numbers for texts: equal numbers are equal texts.
#[derive(Default)]
struct Texts<'p> {
    known: HashMap<Cow<'p, str>, u32, Quick>,
}

impl<'p> Texts<'p> {
    fn with_capacity(texts: usize) -> Self {
        Texts {
            known: HashMap::with_capacity_and_hasher(texts, Quick::default()),
        }
    }

    fn id(&mut self, text: Cow<'p, str>) -> u32 {
        let next = crate::profile::row(self.known.len());
        *self.known.entry(text).or_insert(next)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    address: u64,
    line: i64,
    column: i64,
    start: i64,
    name: u32,
    file: u32,
    object: u32,
}

/// Name and file of a function, for comparing and for showing.
struct Named<'p> {
    name: &'p str,
    file: Cow<'p, str>,
    ids: (u32, u32),
    start: i64,
}

impl<'p> Frames<'p> {
    /// Nodes of every location. `objects` keeps functions of different mapped
    /// files apart; `trim` gives how many bytes of a path to cut.
    pub(in crate::report) fn of(
        profile: &'p Profile,
        objects: bool,
        trim: Option<TrimPath<'_>>,
    ) -> Self {
        let mut texts = Texts::with_capacity(profile.functions().len());
        let functions: Vec<Named<'p>> = profile
            .functions()
            .iter()
            .map(|f| {
                let name = profile.text(f.name);
                let path = profile.text(f.file);
                let cut = match path {
                    "" => 0,
                    path => trim.map_or(0, |trim| trim(path)),
                };
                let path = path.get(cut..).unwrap_or(path);
                let file = clean(path);
                let ids = (texts.id(Cow::Borrowed(name)), texts.id(file.clone()));
                let start = f.start_line;
                Named {
                    name,
                    file,
                    ids,
                    start,
                }
            })
            .collect();
        let mappings = profile.mappings().iter().map(|m| {
            let file = profile.text(m.file);
            (file, texts.id(Cow::Borrowed(file)))
        });
        let mappings: Vec<(&'p str, u32)> = mappings.collect();
        let empty = texts.id(Cow::Borrowed(""));
        let mut frames = Frames {
            infos: Vec::new(),
            infos_of: Vec::with_capacity(profile.lines.len()),
            starts: Vec::with_capacity(profile.locations().len() + 1),
        };
        let mut known: HashMap<Key, u32, Quick> =
            HashMap::with_capacity_and_hasher(functions.len(), Quick::default());
        // Nodes that are a function and nothing else, which is what most reports ask for.
        let mut whole: Vec<Option<u32>> = vec![None; functions.len()];
        for (i, location) in profile.locations().iter().enumerate() {
            frames
                .starts
                .push(crate::profile::row(frames.infos_of.len()));
            let mapping = location.mapping.and_then(|m| mappings.get(m.index()));
            let (object, object_id) = mapping.copied().unwrap_or(("", empty));
            let lines = profile.lines(LocationId::at(i)).iter().map(Some);
            let bare = (lines.len() == 0).then_some(None);
            for line in lines.chain(bare) {
                let bare_function = line
                    .filter(|l| !objects && location.address == 0 && l.line == 0 && l.column == 0);
                let function = bare_function.map(|l| l.function.index());
                let known_whole = function.and_then(|f| whole.get(f).copied().flatten());
                if let Some(id) = known_whole {
                    frames.infos_of.push(id);
                    continue;
                }
                let found = line.and_then(|l| Some((l, functions.get(l.function.index())?)));
                let mut info = Info {
                    address: location.address,
                    object,
                    ..Info::default()
                };
                let mut ids = (empty, empty);
                if let Some((Line { line, column, .. }, function)) = found {
                    (info.line, info.column) = (*line, *column);
                    ids = function.ids;
                    if objects || function.name.is_empty() {
                        info.start = function.start;
                    } else {
                        info.object = "";
                    }
                }
                let key = Key {
                    address: info.address,
                    line: info.line,
                    column: info.column,
                    start: info.start,
                    name: ids.0,
                    file: ids.1,
                    object: if info.object.is_empty() {
                        empty
                    } else {
                        object_id
                    },
                };
                let id = *known.entry(key).or_insert_with(|| {
                    if let Some((_, function)) = found {
                        info.name = function.name;
                        info.file = function.file.clone();
                    }
                    frames.infos.push(info);
                    crate::profile::row(frames.infos.len() - 1)
                });
                // A function without a name is told apart by its mapping.
                let named = found.is_some_and(|(_, f)| !f.name.is_empty());
                if named && let Some(place) = function.and_then(|f| whole.get_mut(f)) {
                    *place = Some(id);
                }
                frames.infos_of.push(id);
            }
        }
        frames
            .starts
            .push(crate::profile::row(frames.infos_of.len()));
        frames
    }

    /// Infos of a location, innermost inlined call first.
    #[inline]
    pub(in crate::report) fn at(&self, location: LocationId) -> &[u32] {
        let i = location.index();
        match (self.starts.get(i), self.starts.get(i + 1)) {
            (Some(&from), Some(&to)) => {
                self.infos_of.get(from as usize..to as usize).unwrap_or(&[])
            }
            _ => &[],
        }
    }

    /// Which of `count` infos stand for an inlined call somewhere.
    pub(in crate::report) fn inlined(&self, count: usize) -> Vec<bool> {
        let mut inlined = vec![false; count];
        for pair in self.starts.windows(2) {
            let &[from, to] = pair else { continue };
            let frames = self.infos_of.get(from as usize..to as usize).unwrap_or(&[]);
            for &info in frames.iter().take(frames.len().saturating_sub(1)) {
                if let Some(flag) = inlined.get_mut(info as usize) {
                    *flag = true;
                }
            }
        }
        inlined
    }
}
