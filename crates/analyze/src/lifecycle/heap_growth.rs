//! LIF011: memory that requests leave behind.
//!
//! Judged by what is alive after a collection, to the byte; the sites that grew are samples and
//! serve as the place only. A warning: no run is long enough to tell a leak from a cache that has
//! room for more than the run sends.

mod sites;

use shakedown_evidence::labels::{BATCHES, HELD};
use shakedown_evidence::{At, Evidence, LiveHeap};
use shakedown_findings::{Certainty, Exhibit, Finding, Item, RuleMeta, Severity};

use super::batches::{
    HELD_MIN, labels, points, real, real64, requests_after, unanswered, untested,
};
use crate::exhibits;
use crate::judgement::Found;
use crate::target::repeat;
use crate::{Judgement, Rule};

pub(crate) const RULE: Rule = Rule {
    meta: RuleMeta {
        code: "LIF011",
        name: "heap-growth",
        item: Item::Lifecycle,
        severity: Severity::Warning,
        required: false,
        page: include_str!("heap_growth.md"),
    },
    judge,
};

/// Less growth over all batches than this is noise: what background work holds at the moment of
/// the look made 10 to 120 kB in a service at rest.
const RISE_MIN: f64 = 512.0 * 1024.0;
/// A request leaves at least so much, in bytes; less, times the requests, is noise too.
const EACH_MIN: f64 = 256.0;
/// Each batch adds between half and twice of what an average batch adds: a cache that fills up adds
/// less and less, and a table that doubles adds everything at once.
const STEP: std::ops::RangeInclusive<f64> = 0.5..=2.0;
/// Growth while nobody asks, as a share of the growth while we do: more, and it goes with time
/// rather than with requests.
const IDLE_MAX: f64 = 0.3;
/// Chance that five values come in rising order by themselves: one in 5!.
const P: f64 = 1.0 / 120.0;
/// A site that has grown by a smaller share is chance: one sample stands for half a megabyte.
const SITE_MIN: f64 = 0.25;
/// Sites that are named.
const SITES: usize = 3;

fn judge(seen: &Evidence) -> Judgement {
    if let Some(judgement) = untested(seen) {
        return judgement;
    }
    if seen.pprof.is_empty() {
        return Judgement::inconclusive(
            "no heap profile: no pprof endpoint was found",
            "mount pprof on a private listener: shakedown explain pprof-missing",
        );
    }
    let Some(series) = Series::of(seen) else {
        if seen.is_rust() {
            return Judgement::inconclusive(
                "the heap profile of a service in Rust is an estimate from samples, and no exact figure of the live heap comes with it",
                "heap?debug=1 with its line `# HeapAlloc = BYTES`",
            );
        }
        return Judgement::inconclusive(
            "the live heap could not be seen after every batch",
            "a heap profile with runtime.MemStats (net/http/pprof's heap?debug=1), and a run that is not cut short",
        );
    };
    if let Some(judgement) = unanswered(seen) {
        return judgement;
    }
    match series.growth() {
        Growth::None => {
            let (first, last) = (series.bytes[0], series.bytes[BATCHES]);
            Judgement::passed(format!(
                "{} requests in {BATCHES} batches: {} alive before, {} after",
                series.counted,
                bytes(first),
                bytes(last)
            ))
        }
        Growth::WithTime => Judgement::inconclusive(
            "the live heap grows while nobody asks, too: with time, or with work in the background",
            "a run in which the service is not filling its caches: warm it up before, or look at heap?gc=1 for an hour",
        ),
        Growth::WithRequests => Judgement::failed(vec![series.finding(seen)]),
    }
}

enum Growth {
    None,
    WithTime,
    WithRequests,
}

/// The live heap after the warm-up, after each batch, and after the hold.
struct Series<'a> {
    marks: Vec<&'a LiveHeap>,
    held: &'a LiveHeap,
    bytes: Vec<f64>,
    counted: usize,
}

impl<'a> Series<'a> {
    fn of(seen: &'a Evidence) -> Option<Self> {
        let taken = |label: &str| seen.heaps.iter().find(|heap| heap.label == label);
        let marks: Vec<&LiveHeap> = labels()
            .iter()
            .map(|label| taken(label))
            .collect::<Option<_>>()?;
        let held = taken(HELD)?;
        Some(Self {
            bytes: marks.iter().map(|heap| real64(heap.bytes)).collect(),
            counted: requests_after(seen, marks[0].at),
            marks,
            held,
        })
    }

    fn rise(&self) -> f64 {
        self.bytes[BATCHES] - self.bytes[0]
    }

    fn growth(&self) -> Growth {
        let rise = self.rise();
        let mean = rise / real(BATCHES);
        let steady = self
            .bytes
            .windows(2)
            .all(|pair| STEP.contains(&((pair[1] - pair[0]) / mean)));
        let enough = rise >= RISE_MIN && rise / real(self.counted.max(1)) >= EACH_MIN;
        if !steady || !enough {
            return Growth::None;
        }
        let last = self.marks[BATCHES];
        let idle = real64(self.held.bytes) - real64(last.bytes);
        if -idle > rise * (1.0 - HELD_MIN) {
            return Growth::None;
        }
        let rate =
            |grown: f64, from: At, until: At| grown / (until - from).as_secs_f64().max(0.001);
        let busy_rate = rate(rise, self.marks[0].until, last.until);
        let idle_rate = rate(idle, last.until, self.held.until);
        if idle_rate > busy_rate * IDLE_MAX {
            Growth::WithTime
        } else {
            Growth::WithRequests
        }
    }

    fn finding(&self, seen: &Evidence) -> Finding {
        let rise = self.rise();
        let sites = sites::of(seen, &self.marks);
        let least = rise * SITE_MIN;
        let top = sites::sure(&sites, least).map(|site| site.stack);
        let place = top
            .and_then(|stack| exhibits::own_place(seen, stack))
            .map(exhibits::location);
        let subject = top.map_or_else(|| "live heap".to_owned(), |stack| sites::name(seen, stack));
        let from = match top {
            Some(_) => format!(" Most of what grew was allocated in {subject}."),
            None => " Where that was allocated the samples of one run cannot tell: compare two heap profiles, an hour apart.".to_owned(),
        };
        let mut exhibits: Vec<Exhibit> =
            exhibits::source(seen, place.as_ref()).into_iter().collect();
        exhibits.push(Exhibit::Series {
            title: "alive after a collection, MB".into(),
            points: points(
                &self
                    .bytes
                    .iter()
                    .map(|bytes| (bytes / 10_000.0).round() / 100.0)
                    .collect::<Vec<_>>(),
            ),
        });
        let lines: Vec<String> = sites
            .iter()
            .take(SITES)
            .filter(|site| site.grown >= least)
            .map(|site| format!("+{} {}", bytes(site.grown), sites::line(seen, site.stack)))
            .collect();
        if !lines.is_empty() {
            exhibits.push(Exhibit::Quote {
                title: "what grew, estimated from samples".into(),
                lines,
            });
        }
        if let Some(stack) = top {
            exhibits.push(exhibits::stack("where it was allocated", stack));
        }
        Found {
            certainty: Certainty::Probable { p: P },
            subject,
            location: place,
            message: format!(
                "The live heap grew by {} over {} requests ({} a request), by about as much with each batch, and stayed.{from} A cache with room for more than {} requests would look the same.",
                bytes(rise),
                self.counted,
                bytes(rise / real(self.counted.max(1))),
                self.counted
            ),
            exhibits,
            fix: "give what is kept a bound and an end: an LRU with a size, entries with a time to live, delete(m, key) when the request ends; look for maps and slices that only grow".into(),
            repeat: repeat(seen, RULE.meta.name),
        }
        .by(&RULE.meta)
    }
}

/// `640 B`, `22 kB`, `2.6 MB`.
fn bytes(count: f64) -> String {
    if count >= 1e7 {
        format!("{:.0} MB", count / 1e6)
    } else if count >= 1e6 {
        format!("{:.1} MB", count / 1e6)
    } else if count >= 1e3 {
        format!("{:.0} kB", count / 1e3)
    } else {
        format!("{count:.0} B")
    }
}

#[cfg(test)]
mod tests {
    use shakedown_evidence::{Event, Frame, HeapSite, PprofEndpoint, Stack};

    use super::super::batches::built::{marks, run};
    use super::*;

    /// A run whose live heap was so many kB at the marks, the hold last.
    fn built(kilobytes: [u64; 6]) -> Evidence {
        let mut seen = run(200);
        seen.apply(Event::Pprof(PprofEndpoint {
            at: At(0),
            reach: "h:6060".into(),
            prefix: "/debug/pprof/".into(),
            profiles: vec!["heap".into()],
            asked: Vec::new(),
        }));
        for function in ["main.(*cache).put", "main.load"] {
            let frame = Frame {
                function: function.into(),
                file: "cache.go".into(),
                line: 13,
            };
            seen.apply(Event::Stack(Stack {
                frames: vec![frame],
                ..Stack::default()
            }));
        }
        for ((at, label), kilobytes) in marks().into_iter().zip(kilobytes) {
            let site = |stack, bytes| HeapSite {
                stack,
                bytes,
                samples: bytes / 1000,
            };
            seen.apply(Event::LiveHeap(LiveHeap {
                at,
                until: at,
                label,
                bytes: kilobytes * 1000,
                objects: 1,
                sites: vec![site(1, 4_000_000), site(0, kilobytes * 900)],
            }));
        }
        seen
    }

    fn check(kilobytes: [u64; 6]) -> &'static str {
        judge(&built(kilobytes)).outcome.name()
    }

    #[test]
    fn as_much_with_each_batch_is_growth() {
        assert_eq!(check([8000, 8640, 9280, 9920, 10_560, 10_560]), "failed");
        assert_eq!(check([8000, 8700, 9200, 9990, 10_560, 10_500]), "failed");
    }

    #[test]
    fn what_fills_up_doubles_or_goes_is_none() {
        for kilobytes in [
            // It fills up, it doubles once, it is noise, it falls, it goes when nobody asks.
            [8000, 9000, 9500, 9700, 9750, 9750],
            [8000, 8000, 12_000, 12_000, 12_000, 12_000],
            [8000, 8100, 8050, 8120, 8090, 8080],
            [8000, 8100, 8200, 8300, 8400, 8400],
            [9000, 8000, 7000, 6000, 5000, 5000],
            [8000, 8640, 9280, 9920, 10_560, 8000],
            [8000; 6],
        ] {
            assert_eq!(check(kilobytes), "passed", "{kilobytes:?}");
        }
    }

    #[test]
    fn what_grows_by_itself_is_not_blamed_on_requests() {
        // Two seconds a batch, three of hold: the same rate.
        assert_eq!(
            check([8000, 8640, 9280, 9920, 10_560, 11_520]),
            "inconclusive"
        );
    }

    #[test]
    fn the_site_that_grew_is_named_and_not_the_largest() {
        let judgement = judge(&built([8000, 8640, 9280, 9920, 10_560, 10_560]));
        let finding = &judgement.findings[0];
        assert_eq!(finding.subject, "main.(*cache).put");
        let place = finding.location.as_ref().expect("a place");
        assert_eq!(place.line, Some(13));
        assert!(
            finding
                .message
                .starts_with("The live heap grew by 2.6 MB over 120 requests (21 kB a request)"),
            "{}",
            finding.message
        );
        assert_eq!(finding.certainty, Certainty::Probable { p: P });
    }

    #[test]
    fn what_one_path_frees_and_another_allocates_has_not_grown() {
        let mut seen = built([8000, 8640, 9280, 9920, 10_560, 10_560]);
        // main.load is reached by a second stack, which takes over from the first.
        let mut other = seen.stacks[1].clone();
        other.frames.push(Frame::default());
        seen.apply(Event::Stack(other));
        for (mark, heap) in seen.heaps.iter_mut().enumerate() {
            let moved = mark as u64 * 700_000;
            heap.sites[0].bytes -= moved;
            heap.sites.push(HeapSite {
                stack: 2,
                bytes: moved,
                samples: moved / 1000,
            });
        }
        assert_eq!(judge(&seen).findings[0].subject, "main.(*cache).put");
    }

    #[test]
    fn where_it_grew_is_not_said_by_too_few_samples() {
        // Of a run: a cache of 7 MB was renewed, and by luck its new objects were sampled and its
        // old ones were not; the 2.6 MB that did stay were five samples.
        let mut seen = built([9467, 10_125, 10_786, 11_450, 12_107, 12_102]);
        let renewed = [5780, 6830, 7350, 8400, 8930, 9450];
        let kept = [1620, 2160, 2160, 2700, 3250, 3250];
        for unknown in [false, true] {
            for (heap, kilobytes) in seen.heaps.iter_mut().zip(renewed.into_iter().zip(kept)) {
                for (site, kilobytes) in heap.sites.iter_mut().zip([kilobytes.0, kilobytes.1]) {
                    site.bytes = kilobytes * 1000;
                    site.samples = if unknown { 0 } else { kilobytes / 527 };
                }
            }
            let finding = &judge(&seen).findings[0];
            assert_eq!(
                (finding.subject.as_str(), &finding.location),
                ("live heap", &None)
            );
            assert!(finding.message.contains("an hour apart"), "{finding:?}");
        }
    }

    #[test]
    fn growth_without_a_sampled_site_has_no_place() {
        let mut seen = built([8000, 8640, 9280, 9920, 10_560, 10_560]);
        for heap in &mut seen.heaps {
            heap.sites.clear();
        }
        let finding = &judge(&seen).findings[0];
        assert_eq!(
            (finding.subject.as_str(), &finding.location),
            ("live heap", &None)
        );
    }

    #[test]
    fn a_mark_that_is_missing_is_inconclusive() {
        let mut seen = built([8000; 6]);
        seen.heaps.pop();
        assert_eq!(judge(&seen).outcome.name(), "inconclusive");
        seen.pprof.clear();
        assert_eq!(judge(&seen).outcome.name(), "inconclusive");
    }
}
