//! The text of a heap profile, whatever stands in it, and what is written out again.

use proptest::prelude::*;
use shakedown_evidence::resources::{counted, kind_of_file};
use shakedown_evidence::{ParsedHeap, parse_heap};

/// A profile as runtime/pprof writes it, of sites with objects and bytes that are alive; every
/// allocation was sampled.
fn text(sites: &[(u32, u32)], alive: u64) -> String {
    let mut text = String::from("heap profile: 1: 1 [1: 1] @ heap/2\n");
    for (site, (objects, bytes)) in sites.iter().enumerate() {
        text += &format!("{objects}: {bytes} [{objects}: {bytes}] @ 0x4a\n");
        text += &format!(
            "#\t0x4a\tmain.f{site}+0x1c\t\t\tshop.test/a.go:{}\n\n",
            site + 1
        );
    }
    text + &format!("\n# runtime.MemStats\n# HeapAlloc = {alive}\n# HeapObjects = 7\n")
}

proptest! {
    #[test]
    fn what_was_written_is_read(sites in prop::collection::vec((1u32.., 1u32..), 0..12), alive: u64) {
        let heap = parse_heap(text(&sites, alive).as_bytes()).expect("a heap profile");
        prop_assert_eq!((heap.bytes, heap.objects), (alive, 7));
        let mut wanted: Vec<u64> = sites.iter().map(|(_, bytes)| u64::from(*bytes)).collect();
        wanted.sort_unstable_by(|a, b| b.cmp(a));
        let read: Vec<u64> = heap.sites.iter().map(|(_, alive)| alive.bytes).collect();
        prop_assert_eq!(read, wanted);
        for (stack, alive) in &heap.sites {
            let line = usize::try_from(stack.frames[0].line).expect("a small line");
            let (objects, bytes) = sites[line - 1];
            prop_assert_eq!((objects.into(), bytes.into()), (alive.samples, alive.bytes));
        }
    }

    #[test]
    fn a_text_that_was_cut_is_refused_or_whole(cut in 0usize..400) {
        let whole = text(&[(1, 10), (2, 30)], 5_000);
        let cut = cut.min(whole.len());
        let read = parse_heap(&whole.as_bytes()[..cut]);
        // Only the number of objects may come out shorter, and nobody judges by it.
        prop_assert!(read.is_err() || whole[..cut].contains("# HeapAlloc = 5000\n"));
        prop_assert!(read.is_ok() || !whole[..cut].contains("# HeapAlloc = 5000\n"));
    }

    #[test]
    fn nothing_that_comes_does_harm(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _: Result<ParsedHeap, String> = parse_heap(&bytes);
        let headed = [&b"heap profile: 1: 1 [1: 1] @ heap/1048576\n"[..], &bytes].concat();
        let _ = parse_heap(&headed);
    }

    #[test]
    fn no_descriptor_is_lost(targets in prop::collection::vec(".{0,40}", 0..300)) {
        let kinds = counted(targets.iter().map(|target| kind_of_file(target)));
        prop_assert_eq!(kinds.values().sum::<u64>(), targets.len() as u64);
    }
}
