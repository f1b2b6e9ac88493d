//! All printing: reports to stdout, everything else to stderr.

use std::io::{self, IsTerminal, Write};

use shakedown_report::{Style, harmless};

/// Prints a report or a page. A reader that went away has seen enough: that is no error, and the
/// exit code stays what the command came to.
pub(crate) fn show(text: &str) -> io::Result<()> {
    show_bytes(text.as_bytes())
}

/// The same for what is not text, such as a profile.
pub(crate) fn show_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        shown => shown,
    }
}

/// Says something that is not the report. It may quote a service: nothing in it reaches the
/// terminal but text.
pub(crate) fn complain(text: &str) {
    let mut err = io::stderr().lock();
    for line in text.split('\n') {
        // Nobody is left to tell if stderr is gone too.
        let _ = writeln!(err, "{}", harmless(line));
    }
}

/// How to render for stdout: as wide as the terminal, coloured if it is one (NO_COLOR and
/// CLICOLOR_FORCE are respected).
pub(crate) fn style() -> Style {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_terminal = io::stdout().is_terminal();
    let forced = set("CLICOLOR_FORCE")
        && std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    Style {
        width: width(is_terminal),
        colour: !set("NO_COLOR") && (forced || is_terminal),
        unicode: speaks_unicode(),
    }
}

fn width(is_terminal: bool) -> usize {
    let asked = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    let of_terminal = || {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        (size.ws_col > 0).then(|| usize::from(size.ws_col))
    };
    let found = asked.or_else(|| is_terminal.then(of_terminal).flatten());
    found.unwrap_or(Style::default().width).clamp(40, 160)
}

fn speaks_unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    // A bare environment, as in a container, is nearly always UTF-8; only a locale that says
    // otherwise is believed.
    locale.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf") || locale == "c" || locale == "posix"
    })
}
