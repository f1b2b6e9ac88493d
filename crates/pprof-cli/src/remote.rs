//! Names of functions from the server that a profile came from: its `/debug/pprof/symbol`.
//!
//! Only where the profile itself has none, as legacy formats have. What fails is said and
//! leaves addresses; the original gives up there.
//!
//! Source: google/pprof, internal/driver/fetch.go `collectMappingSources`,
//! internal/symbolz/symbolz.go.

use std::time::Duration;

use shakedown_pprof::{Profile, StringId};

use crate::arguments::Arguments;
use crate::{Request, World};

/// How long a server may take to name addresses.
const PATIENCE: Duration = Duration::from_secs(30);

/// Servers that know the names of a mapped file.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    /// Build id or path of the mapped file, or the URL where it has neither.
    file: String,
    url: String,
    /// Where the file was mapped when the server was asked.
    start: u64,
}

impl Symbols {
    /// Remembers that `profile` came from `url`.
    pub(crate) fn may_be_had_from(&mut self, url: &str, profile: &mut Profile) {
        let unnamed = profile.intern(url);
        for place in 0..profile.mappings().len() {
            let Some(mapping) = profile.mappings().get(place).copied() else {
                break;
            };
            let nothing = StringId::default();
            let file = match (mapping.build_id == nothing, mapping.file == nothing) {
                (false, _) => mapping.build_id,
                (_, false) => mapping.file,
                // So that the merged profile still tells whose it is; taken away again below.
                _ => {
                    profile.set_mapping_file(place, unnamed);
                    unnamed
                }
            };
            self.known.push(Known {
                file: profile.text(file).to_owned(),
                url: url.to_owned(),
                start: mapping.start,
            });
        }
    }

    /// Asks for what has no name, if `-symbolize` allows it.
    pub(crate) fn ask(&self, profile: &mut Profile, arguments: &Arguments, world: &mut dyn World) {
        if self.known.is_empty() {
            return;
        }
        if let Some(force) = wanted(&arguments.symbolize) {
            for place in 0..profile.mappings().len() {
                self.ask_of(place, force, profile, arguments, world);
            }
        }
        for place in 0..profile.mappings().len() {
            let mapping = profile.mappings().get(place).copied().unwrap_or_default();
            let is_url = |known: &Known| known.url == profile.text(mapping.file);
            if mapping.build_id == StringId::default() && self.known.iter().any(is_url) {
                profile.set_mapping_file(place, StringId::default());
            }
        }
    }

    fn ask_of(
        &self,
        place: usize,
        force: bool,
        profile: &mut Profile,
        arguments: &Arguments,
        world: &mut dyn World,
    ) {
        let mapping = profile.mappings().get(place).copied().unwrap_or_default();
        if mapping.has_functions && !force {
            return;
        }
        let names = [mapping.file, mapping.build_id].map(|id| profile.text(id).to_owned());
        let known = names.iter().filter(|name| !name.is_empty());
        let mut known = known.flat_map(|name| self.known.iter().filter(move |k| k.file == *name));
        let Some(known) = known.next() else { return };
        // The server knows addresses as they were when it was asked.
        let moved = known.start.wrapping_sub(mapping.start);
        let addresses = profile.unnamed_addresses(place);
        if addresses.is_empty() {
            return;
        }
        let asked = addresses
            .iter()
            .map(|a| format!("{:#x}", a.wrapping_add(moved)));
        let asked = asked.collect::<Vec<_>>().join("+");
        let url = symbol_url(&known.url);
        let request = Request {
            url: &url,
            body: Some(&asked),
            timeout: arguments.timeout.unwrap_or(PATIENCE),
            tls: &arguments.tls,
        };
        let answer = world.fetch(&[request]).pop();
        match answer.unwrap_or_else(|| Err("no answer".to_owned())) {
            Ok(answer) => {
                profile.name_addresses(place, moved, &String::from_utf8_lossy(&answer));
            }
            Err(why) => world.stderr(&format!("no names from {url}: {why}\n")),
        }
    }
}

/// Whether servers are asked, and if so, also for what has names.
fn wanted(mode: &str) -> Option<bool> {
    let (mut remote, mut force) = (true, false);
    for option in mode.to_lowercase().split(':') {
        match option {
            "none" | "no" => return None,
            "local" | "fastlocal" => remote = false,
            "remote" => remote = true,
            "force" => force = true,
            _ => {}
        }
    }
    remote.then_some(force)
}

/// Where the server of `url` names addresses: `symbol` beside what was asked for, or
/// `symbolz` where it is not Go's or gperftools'.
fn symbol_url(url: &str) -> String {
    let url = url.split_once('?').map_or(url, |(before, _)| before);
    let (folder, last) = url.rsplit_once('/').unwrap_or((url, ""));
    let gperftools = ["heap", "growth", "profile", "pmuprofile", "contention"];
    let is_gperftools = folder.ends_with("/pprof") && gperftools.contains(&last);
    match url.contains("/debug/pprof/") || is_gperftools {
        true => format!("{folder}/symbol"),
        false => format!("{folder}/symbolz"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handler_stands_beside_the_profile() {
        let check = |url: &str, wanted: &str| assert_eq!(symbol_url(url), wanted);
        check(
            "http://h:1/debug/pprof/heap?debug=1",
            "http://h:1/debug/pprof/symbol",
        );
        check("http://h/pprof/growth", "http://h/pprof/symbol");
        check("http://h/profilez", "http://h/symbolz");
        check(
            "unix:///run/s:/debug/pprof/heap",
            "unix:///run/s:/debug/pprof/symbol",
        );
    }

    #[test]
    fn modes_say_who_is_asked() {
        for (mode, who) in [
            ("", Some(false)),
            ("remote", Some(false)),
            ("remote:force", Some(true)),
            ("local", None),
            ("None", None),
            ("demangle=full", Some(false)),
        ] {
            assert_eq!(wanted(mode), who, "{mode}");
        }
    }
}
