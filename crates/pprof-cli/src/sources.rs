//! From sources to one profile: fetched, merged, the base taken off.
//!
//! Source: google/pprof, internal/driver/fetch.go `fetchProfiles`.

use shakedown_pprof::report::{self, subtract};
use shakedown_pprof::{Columns, Limits, Mapping, Profile, StringId};

use std::time::Duration;

use crate::arguments::Arguments;
use crate::gathered::Gathered;
use crate::remote::Symbols;
use crate::{Request, Stop, World, binaries, saved, symbolize, url};

/// Bytes of a profile after decompression, which a person named: forty times the largest of the field.
/// A bomb of a few megabytes would otherwise take all memory of the machine.
const INFLATED_MAX: u64 = 4 << 30;
/// Bytes of its tables.
const DECODED_MAX: u64 = 16 << 30;

/// Sources fetched at once; more are fetched after these.
const AT_ONCE: usize = 128;

pub(crate) fn fetch(arguments: &Arguments, world: &mut dyn World) -> Result<Profile, Stop> {
    let mut symbols = Symbols::default();
    let mut profile = fetch_all(&arguments.sources, "source", arguments, &mut symbols, world)?;
    if let Some(base) = &arguments.base {
        let sources = std::slice::from_ref(&base.source);
        let base_profile = fetch_all(sources, "base", arguments, &mut symbols, world)?;
        profile = subtract(profile, base_profile, base.how).map_err(Stop::failed)?;
    }
    let mut sources = arguments.sources.iter();
    let is_remote = sources.any(|s| remote(s, arguments, world).is_some());
    complete(&mut profile, &symbols, is_remote, arguments, world);
    if is_remote {
        saved::save(&profile, world);
    }
    Ok(profile)
}

/// One CPU profile of `seconds` from the one server that is given.
pub(crate) fn window(
    seconds: u64,
    arguments: &Arguments,
    world: &mut dyn World,
) -> Result<Profile, String> {
    let source = match arguments.sources.as_slice() {
        [source] if !world.exists(source) => source,
        _ => return Err("it takes one server to look at: host:port or a URL".to_owned()),
    };
    let (url, timeout) = url::adjust(source, Some(seconds), arguments.timeout)
        .ok_or_else(|| format!("{source} is neither a URL nor host:port"))?;
    let request = Request {
        url: &url,
        body: None,
        timeout,
        tls: &arguments.tls,
    };
    let answer = world.fetch(&[request]).pop();
    let bytes = answer.unwrap_or_else(|| Err("no answer".to_owned()));
    bytes
        .and_then(|bytes| decode(bytes, true, arguments, world))
        .map_err(|why| format!("{url}: {why}"))
}

/// What is done to every profile, wherever it came from.
pub(crate) fn complete(
    profile: &mut Profile,
    symbols: &Symbols,
    is_remote: bool,
    arguments: &Arguments,
    world: &mut dyn World,
) {
    symbolize::symbolize(profile, symbols, is_remote, arguments, world);
    if arguments.all_frames {
        profile.drop_frames = profile.intern("");
        profile.keep_frames = profile.intern("");
    }
    profile.remove_uninteresting();
    if !arguments.comment.is_empty() {
        let comment = profile.intern(&arguments.comment);
        profile.comments.push(comment);
    }
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

/// Fetches and merges; one failure of several is a warning.
fn fetch_all(
    sources: &[String],
    what: &str,
    arguments: &Arguments,
    symbols: &mut Symbols,
    world: &mut dyn World,
) -> Result<Profile, Stop> {
    let mut gathered = Gathered::default();
    let mut failed = |why| Stop::Failed(format!("problem fetching {what} profiles: {why}"));
    for chunk in sources.chunks(AT_ONCE) {
        let remotes: Vec<_> = chunk.iter().map(|s| remote(s, arguments, world)).collect();
        let answers = ask_all(&remotes, arguments, world);
        for ((source, remote), answer) in chunk.iter().zip(&remotes).zip(answers) {
            let url = remote.as_ref().map(|(url, _)| url.as_str());
            let bytes = match answer {
                Some(answer) => answer,
                None => world
                    .read(source)
                    .map_err(|error| format!("cannot read it: {error}")),
            };
            let is_merged = sources.len() > 1 && url.is_none();
            let file = bytes.as_ref().ok().filter(|_| is_merged).cloned();
            match bytes.and_then(|bytes| decode(bytes, url.is_some(), arguments, world)) {
                Ok(mut profile) => {
                    if let Some(url) = url {
                        symbols.may_be_had_from(url, &mut profile);
                    }
                    let read = |file| decode(file, false, arguments, world);
                    gathered.add(profile, file, read).map_err(&mut failed)?;
                }
                Err(why) => world.stderr(&format!("{source}: {why}\n")),
            }
        }
    }
    let (got, wanted) = (gathered.len(), sources.len());
    if got == 0 {
        return Err(Stop::Failed(format!("failed to fetch any {what} profiles")));
    }
    if got < wanted {
        world.stderr(&format!("Fetched {got} {what} profiles out of {wanted}\n"));
    }
    let read = |file| decode(file, false, arguments, world);
    gathered.finish(read).map_err(failed)
}

/// What the servers among the sources answer, all asked at once: they measure for as long
/// as one of them does. `None` is for files.
fn ask_all(
    remotes: &[Option<(String, Duration)>],
    arguments: &Arguments,
    world: &mut dyn World,
) -> Vec<Option<Result<Vec<u8>, String>>> {
    let requests = remotes.iter().flatten().map(|(url, timeout)| Request {
        url,
        body: None,
        timeout: *timeout,
        tls: &arguments.tls,
    });
    let requests: Vec<Request<'_>> = requests.collect();
    for request in &requests {
        world.stderr(&format!(
            "Fetching profile over HTTP from {}\n",
            request.url
        ));
    }
    if let Some(seconds) = arguments.seconds.filter(|_| !requests.is_empty()) {
        world.stderr(&format!("Please wait... ({seconds}s)\n"));
    }
    let mut answers = match requests.is_empty() {
        true => Vec::new(),
        false => world.fetch(&requests),
    }
    .into_iter();
    let unanswered = || Err("no answer".to_owned());
    let answer = |remote: &Option<_>| {
        remote
            .is_some()
            .then(|| answers.next().unwrap_or_else(unanswered))
    };
    remotes.iter().map(answer).collect()
}

fn decode(
    bytes: Vec<u8>,
    is_remote: bool,
    arguments: &Arguments,
    world: &mut dyn World,
) -> Result<Profile, String> {
    let limits = Limits {
        inflated_bytes: usize::try_from(INFLATED_MAX).unwrap_or(usize::MAX),
        decoded_bytes: usize::try_from(DECODED_MAX).unwrap_or(usize::MAX),
        ..Limits::default()
    };
    // Merging keeps stacks with different labels apart, and so the order of edges; what is
    // saved is saved whole.
    let merged = arguments.sources.len() > 1 || arguments.base.is_some();
    let columns = match merged || is_remote {
        true => Columns::ALL,
        false => report::columns(&arguments.command, &arguments.options),
    };
    let profile = Profile::decode_columns(bytes, &limits, columns);
    let mut profile = profile.map_err(|error| format!("parsing profile: {error}"))?;
    binaries::locate(&mut profile, world);
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
