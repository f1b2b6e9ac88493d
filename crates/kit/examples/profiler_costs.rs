//! What the allocator wrapper and a watched poll cost, in instructions.
//!
//! Nanoseconds are below the noise of most machines; instructions are not:
//!
//!     cargo build --release -p shakedown-kit --example profiler_costs
//!     for way in plain wrapped sampled poll-loop poll-watched; do
//!         valgrind --tool=callgrind --callgrind-out-file=/dev/null \
//!             target/release/examples/profiler_costs $way 2>&1 | grep Collected
//!     done
//!
//! The difference of two ways, by 1,000,000, is the cost of one pair of allocation and release, or of
//! one poll. `time` as a second word prints nanoseconds instead.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::time::Instant;

use shakedown_kit::profile::{block, heap};

static PLAIN: System = System;
static WRAPPED: heap::Sampler<System> = heap::Sampler::new(System);

#[global_allocator]
static GLOBAL: heap::Sampler<System> = heap::Sampler::new(System);

const ROUNDS: usize = 1_000_000;
/// Blocks that are live at one time.
const RING: usize = 4096;

/// 16 bytes to 4 KiB, 908 on average: far more bytes than services allocate at a time.
fn layouts() -> Vec<Layout> {
    let mut random = 1_u64;
    let mut sizes = Vec::with_capacity(RING);
    for _ in 0..RING {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let size = 16_usize << ((random >> 40) % 9);
        sizes.push(Layout::from_size_align(size, 8).expect("small and aligned"));
    }
    sizes
}

#[expect(unsafe_code, reason = "calls an allocator")]
fn pairs(allocator: &impl GlobalAlloc) {
    let layouts = layouts();
    let mut ring = vec![std::ptr::null_mut::<u8>(); RING];
    for round in 0..ROUNDS {
        let place = round % RING;
        let layout = layouts[place];
        // SAFETY: each block is released once, with the layout it was made with.
        unsafe {
            if !ring[place].is_null() {
                allocator.dealloc(ring[place], layout);
            }
            ring[place] = black_box(allocator.alloc(layout));
        }
    }
}

#[inline(never)]
fn poll() {
    black_box(());
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let way = words.get(1).map_or("", String::as_str);
    if way == "sampled" {
        heap::start(heap::Options::default()).expect("it is the global allocator");
    }
    let began = Instant::now();
    match way {
        "plain" => pairs(&PLAIN),
        "wrapped" | "sampled" => pairs(&WRAPPED),
        "poll-loop" => (0..ROUNDS).for_each(|_| poll()),
        "poll-watched" => (0..ROUNDS).for_each(|_| {
            let _poll = block::Poll::begin();
            poll();
        }),
        _ => panic!("plain, wrapped, sampled, poll-loop or poll-watched"),
    }
    if words.get(2).is_some_and(|word| word == "time") {
        let nanos = began.elapsed().as_nanos() as f64 / ROUNDS as f64;
        let mut out = std::io::stdout();
        let _ = std::io::Write::write_fmt(&mut out, format_args!("{way}: {nanos:.1} ns\n"));
    }
}
