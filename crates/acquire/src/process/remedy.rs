//! What a service that ended early was missing, read from its last lines.
//!
//! The shapes are those of the configuration libraries and of the Go runtime and network errors.
//! A wrong remedy is worse than none: a name must look like an environment variable, and what a
//! service merely mentions ("not set, using the default") is no cause.

#[cfg(test)]
mod tests;

/// The likely remedy, from the last line upwards; nothing if no line says what is missing.
#[must_use]
pub fn remedy(last_lines: &[String]) -> Option<String> {
    let causes: [fn(&str) -> Option<String>; 7] =
        [port, address, peer, file, flag, library, variable];
    let lines = last_lines.iter().rev().filter(|line| !is_harmless(line));
    let mut found = lines.flat_map(|line| causes.iter().filter_map(move |cause| cause(line)));
    found.next()
}

/// The service went on after such a line.
fn is_harmless(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    let words = [
        "default",
        "fallback",
        "falling back",
        "disabled",
        "ignoring",
        "skipping",
        "retry",
    ];
    words.iter().any(|word| line.contains(word))
}

/// `listen tcp :8080: bind: address already in use`
fn port(line: &str) -> Option<String> {
    let taken = ["address already in use", "Only one usage of each socket"];
    let forbidden = "bind: permission denied";
    if !line.contains(forbidden) && !taken.iter().any(|text| line.contains(text)) {
        return None;
    }
    let address = address_after(
        line,
        &["listen tcp ", "listen tcp4 ", "listen tcp6 ", "listen udp "],
    );
    let port = address.and_then(|address| address.rsplit_once(':')?.1.parse::<u16>().ok());
    let Some(port) = port else {
        let unix = address_after(line, &["listen unix "]);
        return Some(unix.map_or_else(
            || "an address that it listens on is taken: end the process that holds it".to_owned(),
            |path| format!("the socket {path} is left over or taken: remove it, or end the process that holds it"),
        ));
    };
    Some(if line.contains(forbidden) {
        format!("port {port} is for privileged processes: give the service a port above 1023")
    } else {
        format!(
            "port {port} is taken: end the process that holds it (ss -ltnp 'sport = :{port}'), or give the service another port"
        )
    })
}

/// `listen tcp 10.9.9.9:80: bind: cannot assign requested address`
fn address(line: &str) -> Option<String> {
    if !line.contains("bind: cannot assign requested address") {
        return None;
    }
    let address = address_after(line, &["listen tcp ", "listen tcp4 ", "listen tcp6 "])?;
    Some(format!(
        "{address} is no address of this machine: let the service listen on 127.0.0.1 or on all addresses"
    ))
}

/// `dial tcp 127.0.0.1:5432: connect: connection refused`, and names that do not resolve.
fn peer(line: &str) -> Option<String> {
    let dialed = || {
        address_after(
            line,
            &["dial tcp ", "dial tcp4 ", "dial tcp6 ", "dial unix "],
        )
    };
    if line.contains("connection refused") {
        let peer = dialed().or_else(|| first(line, &is_address))?;
        return Some(format!(
            "nothing listens on {peer}: start that dependency first ([[service.dependency]] in shakedown.toml), or give its address with --env NAME=VALUE"
        ));
    }
    if line.contains("i/o timeout") || line.contains("no route to host") {
        let peer = dialed()?;
        return Some(format!(
            "{peer} does not answer: start that dependency first, or give its address with --env NAME=VALUE"
        ));
    }
    if line.contains("no such host") || line.contains("server misbehaving") {
        let host = address_after(line, &["lookup "])?;
        return Some(format!(
            "the name {host} does not resolve here: give a reachable address with --env NAME=VALUE"
        ));
    }
    None
}

/// Words by which a line says that something is missing.
const MISSING: &[&str] = &[
    "not set",
    "n't set",
    "unset",
    "required",
    "must be set",
    "must set",
    "must be provided",
    "must be specified",
    "must not be empty",
    "missing",
    "is empty",
    "be empty",
    "not found",
    "undefined",
    "not defined",
    "not provided",
    "not specified",
    "no value",
    "could not find",
    "not present",
    "please set",
    "please provide",
    "please export",
    "need to set",
    "is blank",
    "not exist",
    "unable to find",
    "cannot find",
];
/// Words after or before which even a short name is a variable's.
const VARIABLE: &[&str] = &["env", "variable", "required key", "keys ", "$"];

/// `required key ORDERS_PORT missing value` and its many relatives.
fn variable(line: &str) -> Option<String> {
    let lower = line.to_ascii_lowercase();
    if !MISSING.iter().any(|word| lower.contains(word)) {
        return None;
    }
    let about_variables = VARIABLE.iter().any(|word| lower.contains(word));
    let name = first(line, &|word| is_variable(word, about_variables))?;
    Some(format!("set it with --env {name}=VALUE"))
}

/// `open config.yaml: no such file or directory`
fn file(line: &str) -> Option<String> {
    if line.contains("no such file or directory") {
        let path = address_after(
            line,
            &["open ", "stat ", "lstat ", "read ", "chdir ", "exec: "],
        );
        let path = path.or_else(|| before(line, ": no such file or directory"))?;
        return Some(not_found(path));
    }
    if line.contains("executable file not found in $PATH") {
        let program = line
            .split("exec: ")
            .nth(1)
            .and_then(|rest| word(rest).next())?;
        return Some(format!(
            "the program {program} is not installed, or not in PATH"
        ));
    }
    if line.contains("permission denied") {
        let path = address_after(line, &["open ", "mkdir ", "stat ", "unlink "])?;
        return Some(format!(
            "{path} may not be used: change its owner or mode, or name another path"
        ));
    }
    // viper: Config File "config" Not Found in "[/app /etc/app]"
    let lower = line.to_ascii_lowercase();
    let config = lower
        .find("config file ")
        .filter(|_| lower.contains("not found"))?;
    let name = word(&line[config + "config file ".len()..]).next()?;
    Some(not_found(name))
}

fn not_found(path: &str) -> String {
    format!(
        "{path} is not there: start in the folder that holds it (start.cwd in shakedown.toml), or name its path"
    )
}

/// `flag provided but not defined: -port` (flag), `unknown flag: --port` (pflag)
fn flag(line: &str) -> Option<String> {
    let shapes = [
        "flag provided but not defined: ",
        "unknown flag: ",
        "unknown shorthand flag: ",
    ];
    let flag = shapes.iter().find_map(|shape| line.split(shape).nth(1))?;
    let flag = word(flag).next()?;
    Some(format!(
        "the service has no flag {flag}: correct the command after --"
    ))
}

/// `error while loading shared libraries: libpq.so.5: cannot open shared object file`
fn library(line: &str) -> Option<String> {
    let library = line
        .split("error while loading shared libraries: ")
        .nth(1)?;
    let library = word(library).next()?;
    Some(format!(
        "the library {library} is not installed: install it, or build with CGO_ENABLED=0"
    ))
}

/// The word after one of the texts, up to its own `: `.
fn address_after<'line>(line: &'line str, texts: &[&str]) -> Option<&'line str> {
    let rest = texts.iter().find_map(|text| line.split(text).nth(1))?;
    let end = rest.find([' ', '"', '\\']).unwrap_or(rest.len());
    let found = rest[..end].trim_end_matches([':', ',', ';']);
    (!found.is_empty()).then_some(found)
}

/// The word before a text.
fn before<'line>(line: &'line str, text: &str) -> Option<&'line str> {
    let before = &line[..line.find(text)?];
    let found = before.rsplit([' ', '"', '\'', '=']).next()?;
    (!found.is_empty()).then_some(found)
}

fn first<'line>(line: &'line str, wanted: &dyn Fn(&str) -> bool) -> Option<&'line str> {
    word(line).find(|word| wanted(word))
}

/// Words of a line, without what quotes, brackets or ends them.
fn word(line: &str) -> impl Iterator<Item = &str> {
    let separates = |c: char| c.is_whitespace() || "\"'`\\=,;()[]{}<>".contains(c);
    let words = line.split(separates);
    words
        .map(|word| word.trim_matches(['$', ':', '.', '!', '?', '%']))
        .filter(|word| !word.is_empty())
}

fn is_address(word: &str) -> bool {
    let Some((host, port)) = word.rsplit_once(':') else {
        return false;
    };
    !host.is_empty() && port.parse::<u16>().is_ok()
}

/// Upper case, digits and underscores; short names only where the line speaks of variables.
fn is_variable(word: &str, about_variables: bool) -> bool {
    let shape = word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.ends_with(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit())
        && word
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let long_enough = word.len() >= 3 && (word.contains('_') || about_variables);
    shape && long_enough && !is_other_constant(word)
}

/// Upper-case words of logs that are no variables: levels, gRPC statuses, protocols, errnos.
fn is_other_constant(word: &str) -> bool {
    const OTHERS: &[&str] = &[
        "ABORTED",
        "ALREADY_EXISTS",
        "CANCELLED",
        "CONFIG",
        "CRITICAL",
        "DATA_LOSS",
        "DEADLINE_EXCEEDED",
        "DEBUG",
        "EMERG",
        "ENV",
        "EOF",
        "ERR",
        "ERROR",
        "FAILED_PRECONDITION",
        "FATAL",
        "FTL",
        "GET",
        "GRPC",
        "HTTP",
        "HTTPS",
        "INF",
        "INFO",
        "INTERNAL",
        "INVALID_ARGUMENT",
        "JSON",
        "MUST",
        "NOT",
        "NOT_FOUND",
        "NOTICE",
        "OUT_OF_RANGE",
        "PANIC",
        "PERMISSION_DENIED",
        "POST",
        "REQUIRED",
        "RESOURCE_EXHAUSTED",
        "SET",
        "SQL",
        "TCP",
        "TLS",
        "TRACE",
        "UNAUTHENTICATED",
        "UNAVAILABLE",
        "UNIMPLEMENTED",
        "UNKNOWN",
        "URI",
        "URL",
        "UTC",
        "WARN",
        "WARNING",
        "WRN",
        "YAML",
        "MISSING",
        "VALUE",
    ];
    OTHERS.contains(&word) || word.starts_with("SIG") && !word.contains('_')
}
