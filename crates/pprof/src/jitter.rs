//! Odd windows among many short ones: rare bursts that the average of a long window hides.
//!
//! What is usual is the median of all windows, and its spread their median absolute
//! deviation, for the whole and for each function by itself: a burst moves neither. A
//! window is odd where something takes far more than that: more than chance in sampling,
//! more than its spread, and enough to be felt. Where that is so in many windows, it is no
//! burst but a service that is sometimes busy, and none is odd.
//!
//! No clock and no I/O: whoever takes the windows gives them in their order.

use std::collections::{BTreeMap, HashMap};

use crate::{LocationId, Profile};

/// Fewer windows than this have no usual value worth the name.
pub const WINDOWS_MIN: usize = 8;
/// How many spreads above the usual are odd. Of normal noise one window in 10^9 is.
const SPREADS: f64 = 6.0;
/// The median absolute deviation of normal noise times this is its standard deviation.
const TO_SIGMA: f64 = 1.4826;
/// A burst takes at least this share of one core during its window: less delays nobody.
const CORE_MIN: f64 = 0.1;
/// And at least as much again as usual: a busy machine that has more room for a while lets a
/// busy service take half as much again.
const MORE_MIN: f64 = 1.0;
/// In more windows than one of so many it is no burst.
const RARE: usize = 4;
/// Where the profile does not say how far samples are apart: Go's 100 in a second.
const PERIOD: i64 = 10_000_000;

/// What one window saw.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Window {
    /// Processor time in all, in nanoseconds.
    pub total: i64,
    length: i64,
    period: i64,
    functions: HashMap<String, Taken>,
}

/// What one function took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// By itself.
    pub flat: i64,
    /// With all that it called.
    pub cum: i64,
}

impl Window {
    /// Reads a CPU profile; `None` if it is another kind. `length` is how long it was taken
    /// for, where it does not say so itself.
    pub fn of(profile: &Profile, length_ns: i64) -> Option<Window> {
        let place = profile.sample_type(Some("cpu")).ok()?;
        let mut window = Window {
            total: 0,
            length: match profile.duration_nanos {
                0 => length_ns,
                said => said,
            },
            period: match profile.period {
                period @ 1.. => period,
                _ => PERIOD,
            },
            functions: HashMap::new(),
        };
        let mut sums: HashMap<&str, Taken> = HashMap::new();
        let mut stack: Vec<&str> = Vec::new();
        for sample in profile.samples() {
            let value = sample.values.get(place).copied().unwrap_or(0);
            window.total = window.total.saturating_add(value);
            stack.clear();
            stack.extend(sample.locations.iter().flat_map(|&l| names(profile, l)));
            if let Some(leaf) = stack.first() {
                let flat = &mut sums.entry(leaf).or_default().flat;
                *flat = flat.saturating_add(value);
            }
            // Recursion counts once.
            stack.sort_unstable();
            stack.dedup();
            for name in &stack {
                let cum = &mut sums.entry(name).or_default().cum;
                *cum = cum.saturating_add(value);
            }
        }
        window.functions = sums.into_iter().map(|(n, t)| (n.to_owned(), t)).collect();
        Some(window)
    }

    /// What `function` took.
    pub fn taken(&self, function: &str) -> Taken {
        self.functions.get(function).copied().unwrap_or_default()
    }
}

/// Functions at a location, innermost first.
fn names(profile: &Profile, location: LocationId) -> impl Iterator<Item = &str> {
    let functions = profile.lines(location).iter();
    functions.filter_map(|line| {
        let function = profile.functions().get(line.function.index())?;
        Some(profile.text(function.name))
    })
}

/// What many windows say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Look {
    /// What a window usually takes, in nanoseconds.
    pub usual: i64,
    /// Windows that are odd, in their order.
    pub odd: Vec<Odd>,
    /// The whole takes far more than usual too often for a burst.
    pub varies: bool,
}

/// A window that took far more than usual.
#[derive(Debug, Clone, PartialEq)]
pub struct Odd {
    /// Its place among the windows.
    pub window: usize,
    /// What it took in all.
    pub total: i64,
    /// Functions that took far more than usual, by what they and their callees took more,
    /// then by what they took themselves.
    pub grown: Vec<Grown>,
}

impl Odd {
    /// Processor time above the usual: of the whole, or of the function that grew most.
    pub fn excess(&self, usual: i64) -> i64 {
        let of_functions = self.grown.iter().map(Grown::excess).max().unwrap_or(0);
        self.total.saturating_sub(usual).max(of_functions)
    }
}

/// A function that took far more than usual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grown {
    /// Its name.
    pub name: String,
    /// What it took here.
    pub here: Taken,
    /// What it usually takes.
    pub usual: Taken,
}

impl Grown {
    /// What it and its callees took above the usual.
    pub fn excess(&self) -> i64 {
        self.here.cum.saturating_sub(self.usual.cum)
    }
}

/// Compares windows with each other; `None` for fewer than [`WINDOWS_MIN`].
pub fn look(windows: &[Window]) -> Option<Look> {
    if windows.len() < WINDOWS_MIN {
        return None;
    }
    let totals: Vec<i64> = windows.iter().map(|w| w.total).collect();
    let mut look = Look {
        usual: median(&totals),
        ..Look::default()
    };
    let mut odd: BTreeMap<usize, Vec<Grown>> = BTreeMap::new();
    let in_all = outliers(windows, &totals);
    match is_rare(in_all.len(), windows.len()) {
        true => odd.extend(in_all.into_iter().map(|place| (place, Vec::new()))),
        false => look.varies = true,
    }
    let mut names: Vec<&str> = windows
        .iter()
        .flat_map(|w| w.functions.keys().map(String::as_str))
        .collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let taken: Vec<Taken> = windows.iter().map(|w| w.taken(name)).collect();
        let cums: Vec<i64> = taken.iter().map(|t| t.cum).collect();
        let places = outliers(windows, &cums);
        if !is_rare(places.len(), windows.len()) {
            continue;
        }
        let flats: Vec<i64> = taken.iter().map(|t| t.flat).collect();
        let usual = Taken {
            flat: median(&flats),
            cum: median(&cums),
        };
        for place in places {
            odd.entry(place).or_default().push(Grown {
                name: name.to_owned(),
                here: taken.get(place).copied().unwrap_or_default(),
                usual,
            });
        }
    }
    look.odd = odd
        .into_iter()
        .map(|(window, mut grown)| {
            let flat = |g: &Grown| g.here.flat.saturating_sub(g.usual.flat);
            grown.sort_by(|a, b| {
                let by_cum = b.excess().cmp(&a.excess());
                by_cum.then(flat(b).cmp(&flat(a))).then(a.name.cmp(&b.name))
            });
            Odd {
                window,
                total: totals.get(window).copied().unwrap_or(0),
                grown,
            }
        })
        .collect();
    Some(look)
}

fn is_rare(odd: usize, of: usize) -> bool {
    odd.saturating_mul(RARE) <= of
}

/// Places of the windows in which a figure is far above its median.
fn outliers(windows: &[Window], values: &[i64]) -> Vec<usize> {
    let usual = median(values);
    let distances: Vec<i64> = values
        .iter()
        .map(|v| v.saturating_sub(usual).saturating_abs())
        .collect();
    let spread = median(&distances) as f64 * TO_SIGMA;
    let usual = usual as f64;
    let is_odd = |(_, (value, window)): &(usize, (&i64, &Window))| {
        // Samples come by chance: so many of them vary by their square root.
        let period = window.period as f64;
        let chance = (usual.max(period) * period).sqrt();
        let least = [
            spread * SPREADS,
            chance * SPREADS,
            usual * MORE_MIN,
            window.length as f64 * CORE_MIN,
        ];
        let excess = **value as f64 - usual;
        least.into_iter().all(|least| excess > least)
    };
    let numbered = values.iter().zip(windows).enumerate().filter(is_odd);
    numbered.map(|(place, _)| place).collect()
}

/// The middle value, the lower of two.
fn median(values: &[i64]) -> i64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len().saturating_sub(1) / 2;
    sorted.get(middle).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Line;

    const SAMPLE: i64 = 10_000_000;
    const TWO_SECONDS: i64 = 2_000_000_000;

    /// A window with samples by function; each stands below `main.main`.
    fn window(samples: &[(&str, i64)]) -> Window {
        let mut profile = Profile::new(&[("samples", "count"), ("cpu", "nanoseconds")]);
        profile.duration_nanos = TWO_SECONDS;
        profile.period = SAMPLE;
        let mut place = |name: &str| {
            let function = profile.push_function(name, "", 0);
            let line = Line {
                function,
                line: 0,
                column: 0,
            };
            profile.push_location(0, None, &[line])
        };
        let root = place("main.main");
        let places: Vec<_> = samples.iter().map(|(name, _)| place(name)).collect();
        for (place, (_, count)) in places.into_iter().zip(samples) {
            profile.push_sample(&[place, root], &[*count, count * SAMPLE], &[]);
        }
        Window::of(&profile, 0).expect("a CPU profile")
    }

    /// Places of odd windows in which `f` has so many samples beside `busy` of another.
    fn check(busy: i64, samples: &[i64]) -> Vec<usize> {
        let windows = samples.iter().map(|n| window(&[("f", *n), ("g", busy)]));
        let windows: Vec<Window> = windows.collect();
        let look = look(&windows).expect("enough windows");
        look.odd.iter().map(|odd| odd.window).collect()
    }

    #[test]
    fn a_burst_is_odd_and_names_its_function() {
        let counts = [1, 0, 2, 1, 90, 0, 1, 1, 2, 0];
        assert_eq!(check(0, &counts), [4]);
        let windows = counts.map(|n| window(&[("f", n), ("g", 1)]));
        let look = look(&windows).expect("enough");
        let odd = &look.odd[0];
        let names: Vec<&str> = odd.grown.iter().map(|g| g.name.as_str()).collect();
        assert_eq!(names, ["f", "main.main"]);
        assert_eq!(odd.grown[0].here.cum, 90 * SAMPLE);
        assert_eq!(odd.excess(look.usual), 89 * SAMPLE);
        assert!(!look.varies);
    }

    #[test]
    fn a_burst_beside_steady_work_is_seen_by_its_function() {
        // The whole varies little; the function has never done this.
        assert_eq!(check(170, &[0, 0, 1, 0, 60, 0, 0, 1, 0, 0]), [4]);
    }

    #[test]
    fn what_is_merely_busy_is_not_odd() {
        // Noise of 100 samples a window: by chance within ±30.
        let noise = [100, 112, 93, 88, 104, 121, 79, 97, 108, 91, 117, 84];
        assert_eq!(check(0, &noise), [0; 0]);
        assert_eq!(check(50, &noise), [0; 0]);
    }

    #[test]
    fn little_is_not_odd_however_rare() {
        // 19 samples of 10 ms are less than a tenth of a core.
        assert_eq!(check(0, &[0, 0, 0, 19, 0, 0, 0, 0]), [0; 0]);
        assert_eq!(check(0, &[0, 0, 0, 22, 0, 0, 0, 0]), [3]);
    }

    #[test]
    fn what_comes_often_is_no_burst() {
        let often = [0, 60, 0, 60, 0, 60, 0, 0, 60];
        assert_eq!(check(0, &often), [0; 0]);
        let windows = often.map(|n| window(&[("f", n)]));
        assert!(look(&windows).expect("enough").varies);
        // Two phases of work, such as load that comes and stays.
        assert_eq!(check(0, &[0, 0, 0, 0, 0, 80, 80, 80, 80, 80]), [0; 0]);
    }

    #[test]
    fn a_window_of_rest_is_not_odd() {
        assert_eq!(check(0, &[90, 91, 0, 92, 90, 89, 90, 91]), [0; 0]);
    }

    #[test]
    fn few_windows_say_nothing() {
        let windows = [0, 0, 0, 90, 0, 0, 0].map(|n| window(&[("f", n)]));
        assert_eq!(look(&windows), None);
    }

    #[test]
    fn values_without_measure_do_not_panic() {
        let far = Window {
            total: i64::MAX,
            length: i64::MIN,
            period: i64::MAX,
            functions: HashMap::from([(
                "f".to_owned(),
                Taken {
                    flat: i64::MIN,
                    cum: i64::MIN,
                },
            )]),
        };
        let mut windows = vec![far; 8];
        windows[0].total = i64::MIN;
        windows[1] = Window::default();
        assert!(look(&windows).is_some());
    }
}
