//! What the allocator wrapper and a watched poll cost. `bench/kit.py` runs it, and counts
//! instructions under callgrind: nanoseconds are below the noise of most machines.
//!
//!     profiler_costs WAY COUNT
//!
//! does WAY so many times and prints the nanoseconds of one: a pair of allocation and release, or a
//! poll. The difference of two ways is the cost.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::time::Instant;

use shakedown_kit::profile::{block, heap};

static PLAIN: System = System;
static WRAPPED: heap::Sampler<System> = heap::Sampler::new(System);

#[global_allocator]
static GLOBAL: heap::Sampler<System> = heap::Sampler::new(System);

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
fn pairs(allocator: &impl GlobalAlloc, count: usize) {
    let layouts = layouts();
    let mut ring = vec![std::ptr::null_mut::<u8>(); RING];
    for round in 0..count {
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
    let count = words.get(2).and_then(|count| count.parse().ok());
    let count: usize = count.unwrap_or(1_000_000);
    if way == "sampled" {
        // With a seed, the same allocations are sampled each time.
        let options = heap::Options {
            seed: Some(1),
            ..heap::Options::default()
        };
        heap::start(options).expect("it is the global allocator");
    }
    let began = Instant::now();
    match way {
        "plain" => pairs(&PLAIN, count),
        "wrapped" | "sampled" => pairs(&WRAPPED, count),
        "poll-loop" => (0..count).for_each(|_| poll()),
        "poll-watched" => (0..count).for_each(|_| {
            let _poll = block::Poll::begin();
            poll();
        }),
        _ => panic!("plain, wrapped, sampled, poll-loop or poll-watched"),
    }
    let nanos = began.elapsed().as_nanos() as f64 / count as f64;
    let mut out = std::io::stdout();
    let _ = std::io::Write::write_fmt(&mut out, format_args!("{nanos:.1}\n"));
}
