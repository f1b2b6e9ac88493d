//! The heap profile as profile.proto.

use std::sync::atomic::Ordering;

use super::Kind;
use super::call_sites::{Site, Sums};
use super::sampler;
use crate::profile::NotMeasured;
use crate::profile::linux::encode::Encoder;
use crate::profile::linux::modules;

/// The heap profile as profile.proto, not compressed, with the sample types of Go:
/// `alloc_objects/count`, `alloc_space/bytes`, `inuse_objects/count`, `inuse_space/bytes`.
///
/// Values are estimates of the whole, as `go tool pprof` expects them. It shows this moment: there
/// is no garbage collection to wait for.
///
/// # Errors
/// [`NotMeasured::NotInstalled`] before [`start`](super::start).
pub fn profile(kind: Kind) -> Result<Vec<u8>, NotMeasured> {
    let sampling =
        sampler::sampling().ok_or(NotMeasured::NotInstalled("heap::start was not called"))?;
    let _unseen = sampler::Unseen::begin();
    let modules = modules::loaded();
    let generation = modules::generation();
    if sampling.generation.swap(generation, Ordering::AcqRel) != generation {
        sampling.walkers.renew(&modules);
    }
    let types = [
        ("alloc_objects", "count"),
        ("alloc_space", "bytes"),
        ("inuse_objects", "count"),
        ("inuse_space", "bytes"),
    ];
    let mut encoder = Encoder::new(&types, &modules, is_allocator);
    let mean = i64::try_from(sampling.mean_bytes).unwrap_or(i64::MAX);
    encoder.period("space", "bytes", mean);
    encoder.show_first(match kind {
        Kind::Heap => "inuse_space",
        Kind::Allocs => "alloc_space",
    });
    encoder.time(
        std::time::SystemTime::now(),
        sampling.began.elapsed().unwrap_or_default(),
    );
    let dropped = sampling.dropped.load(Ordering::Relaxed);
    if dropped > 0 {
        encoder.comment(&format!(
            "{dropped} live samples had no place in the table: inuse values are too low"
        ));
    }
    sampling.sites.for_each(|site, stack, sums| {
        let Sums {
            alloc_objects,
            alloc_bytes,
            live_objects,
            live_bytes,
        } = sums;
        let values = [alloc_objects, alloc_bytes, live_objects, live_bytes];
        match site {
            Site::OVER => encoder.unknown("[more call sites than the profile keeps]", &values, &[]),
            _ if stack.is_empty() => encoder.unknown("[stack not readable]", &values, &[]),
            _ => encoder.sample(stack, &values, &[]),
        }
    });
    Ok(encoder.finish())
}

/// True of the functions between an allocation and the code that wanted it. Go leaves out its own
/// in the same way.
fn is_allocator(function: &str) -> bool {
    // Inlined frames have names without a path where debug information is for lines alone.
    const NAMES: [&str; 9] = [
        "here",
        "look",
        "allocated",
        "alloc",
        "alloc_zeroed",
        "realloc",
        "alloc_impl",
        "alloc_impl_runtime",
        "allocate",
    ];
    const PATHS: [&str; 6] = [
        "shakedown_kit::profile::linux::heap::",
        "<shakedown_kit::profile::linux::heap::",
        "__rust",
        "__rg_",
        "alloc::alloc::",
        "<alloc::alloc::",
    ];
    NAMES.contains(&function) || PATHS.iter().any(|path| function.starts_with(path))
}

#[cfg(test)]
mod tests {
    use super::is_allocator;

    #[test]
    fn only_the_way_to_the_allocator_is_left_out() {
        assert!(is_allocator("__rustc::__rust_alloc"));
        assert!(is_allocator("alloc::alloc::exchange_malloc"));
        assert!(!is_allocator("alloc::raw_vec::RawVecInner<A>::grow_one"));
        assert!(!is_allocator("orders::allocate_ids"));
    }
}
