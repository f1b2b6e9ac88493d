//! What is alive on the heap right after a collection: exact totals, and the sites of what was
//! sampled.
//!
//! Read from net/http/pprof's heap profile in its text form (`heap?gc=1&debug=1`): only that has
//! runtime.MemStats, whose HeapAlloc is exact to the byte. The sites are samples of one in 512 KiB
//! and are scaled up here as `go tool pprof` does; source: runtime/pprof/pprof.go, and
//! scaleHeapSample in google/pprof, profile/legacy_profile.go. shakedown-kit writes the same text for
//! services in Rust, without the objects.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{At, Frame, Stack};

/// Sites that are kept, the largest.
const SITES_MAX: usize = 16;
/// Frames of a site that are kept.
const FRAMES_MAX: usize = 24;

/// The live heap at a mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveHeap {
    /// When it was asked for.
    pub at: At,
    /// When it had come.
    pub until: At,
    /// The mark.
    pub label: String,
    /// Bytes that are alive, exactly.
    pub bytes: u64,
    /// Objects that are alive, exactly; 0 where the profile does not say.
    pub objects: u64,
    /// The largest sites, largest first.
    pub sites: Vec<HeapSite>,
}

/// What one place has allocated and is still alive, estimated from samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeapSite {
    /// Position in [`crate::Evidence::stacks`].
    pub stack: usize,
    /// Bytes.
    pub bytes: u64,
    /// The sampled allocations that the estimate rests on; 0 where that is not known.
    #[serde(default)]
    pub samples: u64,
}

/// What is alive of what one place has allocated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Alive {
    /// Bytes, estimated.
    pub bytes: u64,
    /// The samples behind them; 0 where the profile does not say.
    pub samples: u64,
}

/// A live heap as its text shows it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParsedHeap {
    /// HeapAlloc.
    pub bytes: u64,
    /// HeapObjects; 0 where only the bytes are counted.
    pub objects: u64,
    /// The largest sites, largest first.
    pub sites: Vec<(Stack, Alive)>,
}

/// Reads the text of `heap?debug=1`.
///
/// # Errors
/// It is something else, or has no runtime.MemStats; the text says what.
pub fn parse_heap(text: &[u8]) -> Result<ParsedHeap, String> {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.split_inclusive('\n');
    let head = lines.next().unwrap_or_default().trim_end();
    let Some(rate) = head
        .strip_prefix("heap profile: ")
        .and_then(|rest| rest.rsplit_once("heap/"))
        .and_then(|(_, twice)| twice.trim().parse::<u64>().ok())
    else {
        return Err("not a heap profile in its text form".into());
    };
    let mut parsed = Sites::new(rate / 2);
    let (mut bytes, mut objects) = (None, 0);
    for line in lines {
        // Of a number at the end of a text that was cut, digits may be missing.
        let is_whole = line.ends_with('\n');
        let line = line.trim_end_matches(['\n', '\r']);
        if let Some(value) = line.strip_prefix("# HeapAlloc = ").filter(|_| is_whole) {
            bytes = value.trim().parse().ok();
        } else if let Some(value) = line.strip_prefix("# HeapObjects = ") {
            objects = value.trim().parse().unwrap_or(0);
        } else {
            parsed.line(line);
        }
    }
    let Some(bytes) = bytes else {
        return Err("the heap profile has no runtime.MemStats, or was cut before it".into());
    };
    Ok(ParsedHeap {
        bytes,
        objects,
        sites: parsed.largest(),
    })
}

/// The sites, read line by line.
struct Sites {
    /// Bytes between two samples; 0 or 1: everything was sampled.
    rate: u64,
    found: Vec<(Stack, Alive)>,
    current: Option<(Stack, Alive)>,
}

impl Sites {
    const fn new(rate: u64) -> Self {
        Self {
            rate,
            found: Vec::new(),
            current: None,
        }
    }

    fn line(&mut self, line: &str) {
        if let Some(frame) = line.strip_prefix("#\t0x") {
            if let (Some(frame), Some((stack, _))) = (frame_of(frame), &mut self.current)
                && stack.frames.len() < FRAMES_MAX
            {
                stack.frames.push(frame);
            }
            return;
        }
        self.close();
        if let Some((objects, bytes)) = counts(line).filter(|(_, bytes)| *bytes > 0) {
            let alive = Alive {
                bytes: scaled(objects, bytes, self.rate),
                samples: objects,
            };
            self.current = Some((Stack::default(), alive));
        }
    }

    fn close(&mut self) {
        let Some((stack, alive)) = self.current.take() else {
            return;
        };
        if !stack.frames.is_empty() {
            self.found.push((stack, alive));
        }
        // One object size, one record: the same stack comes several times. What is far below the
        // largest is forgotten now and then, so that a long text takes no more memory.
        if self.found.len() >= 4096 {
            self.shrink(512);
        }
    }

    fn shrink(&mut self, most: usize) {
        let mut merged: HashMap<Stack, Alive> = HashMap::new();
        for (stack, alive) in self.found.drain(..) {
            let sum = merged.entry(stack).or_default();
            sum.bytes = sum.bytes.saturating_add(alive.bytes);
            sum.samples = sum.samples.saturating_add(alive.samples);
        }
        self.found = merged.into_iter().collect();
        // Equal ones by their stacks, so that the same text gives the same answer.
        self.found.sort_unstable_by(|a, b| {
            let largest = b.1.bytes.cmp(&a.1.bytes);
            largest.then_with(|| a.0.frames.cmp(&b.0.frames))
        });
        self.found.truncate(most);
    }

    fn largest(mut self) -> Vec<(Stack, Alive)> {
        self.close();
        self.shrink(SITES_MAX);
        self.found
    }
}

/// `11: 19712 [11: 19712] @ 0x48c4cc …`: objects and bytes that are alive.
fn counts(line: &str) -> Option<(u64, u64)> {
    let (alive, _) = line.split_once(" [")?;
    let (objects, bytes) = alive.split_once(": ")?;
    Some((objects.trim().parse().ok()?, bytes.trim().parse().ok()?))
}

/// `53ed64\tencoding/json.Marshal+0x124\t\tencoding/json/encode.go:213`.
fn frame_of(text: &str) -> Option<Frame> {
    let mut parts = text.split('\t').filter(|part| !part.is_empty());
    let (_, function, place) = (parts.next()?, parts.next()?, parts.next()?);
    let function = function
        .rsplit_once("+0x")
        .map_or(function, |(name, _)| name);
    let (file, line) = place.rsplit_once(':')?;
    Some(Frame {
        function: function.to_owned(),
        file: file.to_owned(),
        line: line.trim().parse().unwrap_or(0),
    })
}

/// The bytes for which a sample of so many stands.
fn scaled(objects: u64, bytes: u64, rate: u64) -> u64 {
    if objects == 0 || rate <= 1 {
        return bytes;
    }
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let (bytes, mean, rate) = (bytes as f64, bytes as f64 / objects as f64, rate as f64);
    let whole = bytes / (1.0 - (-mean / rate).exp());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and the cast saturates"
    )]
    let whole = whole as u64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "heap profile: 12: 524312 [38: 32832] @ heap/1048576\n\
        0: 0 [1: 80] @ 0x48c4cc 0x473fd7\n#\t0x5174c5\tfmt.Sprintf+0x65\t\t\tfmt/print.go:240\n\n\
        1: 524288 [1: 524288] @ 0x1 0x2\n\
        #\t0x53ed64\tshop.test/a.(*Cache).Put+0x124\t\t\tshop.test/a/cache.go:13\n\
        #\t0xad5dca\tmain.main+0x22a\tshop.test/main.go:7\n\n\
        11: 19712 [11: 19712] @ 0x3\n#\t0x9\tencoding/json.Marshal+0x1\tencoding/json/encode.go:2\n\n\n\
        # runtime.MemStats\n# Alloc = 9\n# HeapAlloc = 8046480\n# HeapObjects = 7594\n# NumGC = 5\n";

    #[test]
    fn totals_are_exact_and_sites_are_scaled_up() {
        let heap = parse_heap(TEXT.as_bytes()).expect("a heap profile");
        assert_eq!((heap.bytes, heap.objects), (8_046_480, 7594));
        // A dead site is none; 11 samples of 1.8 kB stand for about 5.8 MB.
        let sites: Vec<_> = heap
            .sites
            .iter()
            .map(|(stack, alive)| {
                let function = stack.frames[0].function.as_str();
                (function, alive.bytes / 1000, alive.samples)
            })
            .collect();
        assert_eq!(
            sites,
            [
                ("encoding/json.Marshal", 5777, 11),
                ("shop.test/a.(*Cache).Put", 829, 1)
            ]
        );
        let (put, _) = &heap.sites[1];
        assert_eq!(
            (put.frames[0].file.as_str(), put.frames[0].line),
            ("shop.test/a/cache.go", 13)
        );
        assert_eq!(put.frames.len(), 2);
    }

    #[test]
    fn another_text_and_a_cut_one_are_refused() {
        assert!(parse_heap(b"<html>").is_err());
        assert!(parse_heap(b"").is_err());
        let cut = TEXT.find("# HeapAlloc").expect("it is there");
        let error = parse_heap(&TEXT.as_bytes()[..cut]).expect_err("cut");
        assert!(error.contains("MemStats"), "{error}");
    }

    #[test]
    fn a_text_of_many_sites_keeps_the_largest_few() {
        let mut text = String::from("heap profile: 1: 1 [1: 1] @ heap/2\n");
        for site in 0..10_000 {
            text += &format!(
                "1: {0} [1: {0}] @ 0x1\n#\t0x1\tmain.f{site}+0x1\tx.go:1\n\n",
                site + 1
            );
        }
        text += "# HeapAlloc = 1\n# HeapObjects = 1\n";
        let heap = parse_heap(text.as_bytes()).expect("a heap profile");
        assert_eq!(heap.sites.len(), SITES_MAX);
        assert_eq!(heap.sites[0].0.frames[0].function, "main.f9999");
        assert_eq!(heap.sites[0].1.bytes, 10_000);
    }

    #[test]
    fn numbers_without_bounds_do_no_harm() {
        let text = "heap profile: 1: 1 [1: 1] @ heap/18446744073709551615\n\
            18446744073709551615: 18446744073709551615 [1: 1] @ 0x1\n#\t0x1\tmain.f+0x1\tx.go:99999999999\n\
            0: 5 [1: 1] @\n#\t0x\n#\t0xz\t\t\n99: 1\n# HeapAlloc = 1\n# HeapObjects = 2\n";
        let heap = parse_heap(text.as_bytes()).expect("a heap profile");
        assert_eq!(heap.sites.len(), 1);
    }
}
