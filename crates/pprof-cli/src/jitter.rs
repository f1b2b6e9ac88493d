//! `-until-jitter`: short CPU windows back to back, until one is odd.
//!
//! A burst of a second disappears in a window of thirty, and is not in the window that was
//! taken after it. What is odd is decided by `shakedown_pprof::jitter`; what is shown, by
//! every report, is what the odd windows took above the others, and both are saved.

use std::collections::VecDeque;
use std::time::Duration;

use shakedown_pprof::Profile;
use shakedown_pprof::jitter::{Look, Odd, WINDOWS_MIN, Window, look};
use shakedown_pprof::report::{Difference, combine, subtract};

use crate::arguments::Arguments;
use crate::remote::Symbols;
use crate::{Stop, World, saved, sources};

/// Length of a window unless `-seconds` says another: 200 samples of a busy core.
const SECONDS: u64 = 2;
/// Windows that are kept and compared, so that a day of looking takes no more memory.
const KEPT: usize = 150;
/// Windows that fail one after another, after which the server is given up.
const FAILURES_MAX: usize = 3;
/// Functions that are named.
const NAMED: usize = 3;

/// Looks for `lasting`; what odd windows took above the others.
pub(crate) fn watch(
    arguments: &Arguments,
    lasting: Duration,
    world: &mut dyn World,
) -> Result<Profile, Stop> {
    if arguments.base.is_some() {
        let why = "-until-jitter compares with the other windows; leave -base and -diff_base out";
        return Err(Stop::failed(why));
    }
    let seconds = arguments.seconds.unwrap_or(SECONDS);
    let windows = lasting.as_secs_f64() / seconds as f64;
    if windows < WINDOWS_MIN as f64 {
        let least = seconds.saturating_mul(WINDOWS_MIN as u64);
        return Err(Stop::Failed(format!(
            "{WINDOWS_MIN} windows of {seconds}s are needed to know what is usual: -until-jitter={least}s"
        )));
    }
    let windows = windows.ceil() as u64;
    world.stderr(&format!(
        "Looking for an odd window among up to {windows} of {seconds}s\n"
    ));
    let mut seen = Seen::default();
    let (mut failed, mut is_odd) = (0, false);
    for _ in 0..windows {
        match sources::window(seconds, arguments, world).and_then(|p| seen.add(p, seconds)) {
            Ok(()) => failed = 0,
            Err(why) => {
                failed += 1;
                world.stderr(&format!("{why}\n"));
                if failed == FAILURES_MAX {
                    return Err(Stop::failed("failed to fetch windows"));
                }
                continue;
            }
        }
        // A burst may have its other half in the next window; if that makes it too frequent to be
        // one, the look goes on.
        let was_odd = std::mem::replace(&mut is_odd, seen.is_odd());
        if was_odd && is_odd {
            break;
        }
    }
    if let Some(look) = look(seen.windows.make_contiguous())
        && !look.odd.is_empty()
    {
        return seen.show(&look, arguments, world);
    }
    Err(Stop::NothingOdd(seen.nothing(seconds)))
}

/// The last windows, as profiles and as sums.
#[derive(Default)]
struct Seen {
    profiles: VecDeque<Profile>,
    windows: VecDeque<Window>,
    /// How many there were in all.
    count: u64,
}

impl Seen {
    fn add(&mut self, profile: Profile, seconds: u64) -> Result<(), String> {
        let length = i64::try_from(seconds.saturating_mul(1_000_000_000)).unwrap_or(i64::MAX);
        let window = Window::of(&profile, length).ok_or("this is no CPU profile")?;
        if self.windows.len() == KEPT {
            self.profiles.pop_front();
            self.windows.pop_front();
        }
        self.profiles.push_back(profile);
        self.windows.push_back(window);
        self.count += 1;
        Ok(())
    }

    fn is_odd(&mut self) -> bool {
        look(self.windows.make_contiguous()).is_some_and(|look| !look.odd.is_empty())
    }

    /// Says what is odd, saves it and the others, and gives the difference.
    fn show(
        self,
        look: &Look,
        arguments: &Arguments,
        world: &mut dyn World,
    ) -> Result<Profile, Stop> {
        let dropped = self.count - self.windows.len() as u64;
        for odd in &look.odd {
            let number = dropped + odd.window as u64 + 1;
            world.stderr(&format!("Window {number}: {}\n", told(odd, look.usual)));
        }
        let is_odd = |place: usize| look.odd.iter().any(|odd| odd.window == place);
        let (mut odd, mut usual) = (Vec::new(), Vec::new());
        for (place, profile) in self.profiles.into_iter().enumerate() {
            if is_odd(place) { &mut odd } else { &mut usual }.push(profile);
        }
        let ratio = odd.len() as f64 / usual.len().max(1) as f64;
        let mut parts = Vec::new();
        for (part, what) in [(odd, "odd"), (usual, "usual")] {
            let mut part = combine(part).map_err(Stop::failed)?;
            sources::complete(&mut part, &Symbols::default(), true, arguments, world);
            let comment = part.intern(&format!("the {what} windows of -until-jitter"));
            part.comments.push(comment);
            saved::save(&part, world);
            parts.push(part);
        }
        world.stderr("Shown is what the odd windows took above the usual ones\n");
        let (Some(mut usual), Some(odd)) = (parts.pop(), parts.pop()) else {
            return Err(Stop::failed("no window at all"));
        };
        usual.scale(ratio);
        subtract(odd, usual, Difference::default()).map_err(Stop::failed)
    }

    fn nothing(mut self, seconds: u64) -> String {
        let looked = self.count.saturating_mul(seconds);
        let Some(look) = look(self.windows.make_contiguous()) else {
            return format!("only {} windows came whole: too few to compare", self.count);
        };
        let varies = match look.varies {
            true => "; some took far more than others, but too often for a burst",
            false => "",
        };
        // Events by chance, so many in a minute: none falls into a look of this length with
        // probability e^-x.
        let escapes = (-(looked as f64) / 60.0).exp();
        format!(
            "Nothing odd in {} windows of {seconds}s, which usually took {} of processor time{varies}. \
             An event that comes once a minute escapes a look of {looked}s with probability {escapes:.2}.",
            self.count,
            time(look.usual),
        )
    }
}

/// What is odd about a window, for a person.
fn told(odd: &Odd, usual: i64) -> String {
    // Everything between the root and the leaf of a burst took the same: its own functions and
    // not those of the standard library say whose it is.
    let own = || odd.grown.iter().filter(|grown| !is_standard(&grown.name));
    let named: Vec<_> = match own().next() {
        Some(_) => own().take(NAMED).collect(),
        None => odd.grown.iter().take(NAMED).collect(),
    };
    let grown = named.into_iter().map(|grown| {
        let excess = time(grown.excess());
        format!("{} +{excess}", shakedown_pprof::short_name(&grown.name))
    });
    let grown = grown.collect::<Vec<_>>().join(", ");
    let (here, usual) = (time(odd.total), time(usual));
    format!("{here} of processor time, usually {usual}; {grown}")
}

/// True for Go's standard library: the first element of its paths has no dot.
fn is_standard(function: &str) -> bool {
    let (first, rest) = function.split_once('/').unwrap_or(("", function));
    let package = rest.split('.').next().unwrap_or("");
    let is_own = first.contains('.') || first.is_empty() && package == "main";
    !is_own
}

/// `1.25s`, `40ms`.
fn time(nanos: i64) -> String {
    match nanos / 1_000_000 {
        ms if ms < 1_000 => format!("{ms}ms"),
        ms => format!("{:.2}s", ms as f64 / 1_000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_library_is_told_from_the_programs_own() {
        for (function, standard) in [
            ("crypto/internal/fips140/sha256.blockSHANI", true),
            ("runtime.mallocgc", true),
            ("main.burst", false),
            ("main.(*T).burst.func1", false),
            ("acme.com/orders.Compact", false),
            ("", true),
        ] {
            assert_eq!(is_standard(function), standard, "{function}");
        }
    }

    #[test]
    fn times_are_short() {
        assert_eq!(
            (time(40_000_000), time(1_250_000_000)),
            ("40ms".into(), "1.25s".into())
        );
    }
}
