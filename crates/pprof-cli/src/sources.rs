//! From sources to one profile: fetched, merged, the base taken off.
//!
//! Source: google/pprof, internal/driver/fetch.go `fetchProfiles`.

use shakedown_pprof::report::{self, combine, subtract};
use shakedown_pprof::{Columns, Limits, Mapping, Profile, SimpleNames, StringId};

use std::time::Duration;

use crate::arguments::Arguments;
use crate::{Stop, World, saved, url};

pub(crate) fn fetch(arguments: &Arguments, world: &mut dyn World) -> Result<Profile, Stop> {
    let mut profile = fetch_all(&arguments.sources, "source", arguments, world)?;
    if let Some(base) = &arguments.base {
        let sources = std::slice::from_ref(&base.source);
        let base_profile = fetch_all(sources, "base", arguments, world)?;
        profile = subtract(profile, base_profile, base.how).map_err(Stop::failed)?;
    }
    symbolize(&mut profile, &arguments.symbolize, world);
    if arguments.all_frames {
        profile.drop_frames = profile.intern("");
        profile.keep_frames = profile.intern("");
    }
    profile.remove_uninteresting();
    if !arguments.comment.is_empty() {
        let comment = profile.intern(&arguments.comment);
        profile.comments.push(comment);
    }
    if arguments
        .sources
        .iter()
        .any(|s| remote(s, arguments, world).is_some())
    {
        saved::save(&profile, world);
    }
    Ok(profile)
}

/// The URL and patience of a source that is no file.
fn remote(
    source: &str,
    arguments: &Arguments,
    world: &mut dyn World,
) -> Option<(String, Duration)> {
    match world.exists(source) {
        true => None,
        false => url::adjust(source, arguments.seconds, arguments.timeout),
    }
}

/// What `-symbolize` asks for, as far as it is done here: names of functions.
///
/// Source: google/pprof, internal/symbolizer/symbolizer.go `Symbolize`.
fn symbolize(profile: &mut Profile, mode: &str, world: &mut dyn World) {
    let (mut how, mut force) = (Some(SimpleNames::default()), false);
    for option in mode.to_lowercase().split(':') {
        match option {
            "none" | "no" => return,
            "" | "local" | "fastlocal" | "remote" | "demangle=default" => {}
            "force" => force = true,
            "demangle=full" => (how, force) = (Some(SimpleNames::Full), true),
            "demangle=templates" => (how, force) = (Some(SimpleNames::Templates), true),
            "demangle=none" => (how, force) = (None, true),
            _ => world.stderr(&format!(
                "ignoring unrecognized symbolization option: {mode}\n\
                 expecting -symbolize=[local|fastlocal|remote|none][:force]\
                 [:demangle=[none|full|templates|default]\n"
            )),
        }
    }
    // Without demangling, names are the linker's again, and nothing more.
    profile.simplify_names(how.unwrap_or(SimpleNames::Full), force);
}

/// Fetches and merges; one failure of several is a warning.
fn fetch_all(
    sources: &[String],
    what: &str,
    arguments: &Arguments,
    world: &mut dyn World,
) -> Result<Profile, Stop> {
    let mut profiles = Vec::new();
    for source in sources {
        match fetch_one(source, arguments, world) {
            Ok(profile) => profiles.push(profile),
            Err(why) => world.stderr(&format!("{source}: {why}\n")),
        }
    }
    if profiles.is_empty() {
        return Err(Stop::Failed(format!("failed to fetch any {what} profiles")));
    }
    if profiles.len() < sources.len() {
        let (got, wanted) = (profiles.len(), sources.len());
        world.stderr(&format!("Fetched {got} {what} profiles out of {wanted}\n"));
    }
    combine(profiles)
        .map_err(|why| Stop::Failed(format!("problem fetching {what} profiles: {why}")))
}

fn fetch_one(
    source: &str,
    arguments: &Arguments,
    world: &mut dyn World,
) -> Result<Profile, String> {
    let remote = remote(source, arguments, world);
    let bytes = match &remote {
        None => world
            .read(source)
            .map_err(|error| format!("cannot read it: {error}"))?,
        Some((url, wait)) => {
            world.stderr(&format!("Fetching profile over HTTP from {url}\n"));
            if let Some(seconds) = arguments.seconds {
                world.stderr(&format!("Please wait... ({seconds}s)\n"));
            }
            world.fetch(url, *wait)?
        }
    };
    // A person named this file: nothing but memory limits it.
    let limits = Limits {
        inflated_bytes: usize::MAX >> 1,
        decoded_bytes: usize::MAX >> 1,
    };
    // Merging keeps stacks with different labels apart, and so the order of edges; what is
    // saved is saved whole.
    let merged = arguments.sources.len() > 1 || arguments.base.is_some();
    let columns = match merged || remote.is_some() {
        true => Columns::ALL,
        false => report::columns(&arguments.command, &arguments.options),
    };
    let profile = Profile::decode_columns(bytes, &limits, columns);
    let mut profile = profile.map_err(|error| format!("parsing profile: {error}"))?;
    name_main_program(&mut profile, arguments);
    Ok(profile)
}

/// Gives a profile without mappings one, and the main program the name and build
/// id from the command line.
fn name_main_program(profile: &mut Profile, arguments: &Arguments) {
    if profile.mappings().is_empty() {
        let mapping = profile.push_mapping(Mapping::default());
        profile.map_all_locations(mapping);
    }
    let file = arguments.program.as_ref().map(|p| profile.intern(p));
    let build_id = profile.intern(&arguments.build_id);
    if let Some(main) = profile.main_mapping_mut() {
        main.file = file.unwrap_or(main.file);
        if main.build_id == StringId::default() {
            main.build_id = build_id;
        }
    }
}
