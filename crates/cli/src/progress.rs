//! Progress on stderr: a bar on a terminal, one line a step elsewhere.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use shakedown_checklist::Progress;

use crate::terminal;

/// Draws what a run tells.
pub(crate) struct Bar {
    bar: Option<ProgressBar>,
    began: Instant,
    silent: bool,
}

impl Bar {
    /// Silent if asked to be.
    pub(crate) fn new(silent: bool) -> Self {
        let drawn = !silent && io::stderr().is_terminal();
        let bar = drawn.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("  {spinner} {elapsed:>4}  {msg}");
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self {
            bar,
            began: Instant::now(),
            silent,
        }
    }

    /// Shows the next step.
    pub(crate) fn tell(&self, progress: &Progress) {
        let text = match progress {
            Progress::Step { name, usual } => {
                format!("{} (about {} s)", describe(name), usual.as_secs().max(1))
            }
            Progress::Ready(how) => format!("ready: {how}"),
        };
        match &self.bar {
            Some(bar) => bar.set_message(text),
            None if !self.silent => terminal::complain(&format!(
                "  {:>3} s  {text}",
                self.began.elapsed().as_secs()
            )),
            None => {}
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn describe(step: &str) -> &str {
    match step {
        "dependency" => "starting a dependency",
        "start" => "starting the service",
        "look" => "asking its listeners what they speak",
        "locate" => "finding the listener of each request",
        "window" => "CPU window with traffic",
        "batches" => "batches of requests, counting goroutines",
        "deadlines" => "catching handlers at their deadline",
        "cancels" => "leaving handlers while they run",
        "stalls" => "holding the answers of dependencies back, one at a time",
        "stop" => "SIGTERM",
        other => other,
    }
}
