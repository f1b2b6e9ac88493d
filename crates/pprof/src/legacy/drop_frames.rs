//! Frames of the profiler itself, by kind of profile: allocators, locks, signals.
//!
//! Source: google/pprof, profile/legacy_profile.go `addLegacyFrameInfo`.

use crate::Profile;

/// Functions that allocate.
const ALLOCATORS: [&str; 49] = [
    "calloc",
    "cfree",
    "malloc",
    "free",
    "memalign",
    "do_memalign",
    "(__)?posix_memalign",
    "pvalloc",
    "valloc",
    "realloc",
    "tcmalloc::.*",
    "tc_calloc",
    "tc_cfree",
    "tc_malloc",
    "tc_free",
    "tc_memalign",
    "tc_posix_memalign",
    "tc_pvalloc",
    "tc_valloc",
    "tc_realloc",
    "tc_new",
    "tc_delete",
    "tc_newarray",
    "tc_deletearray",
    "tc_new_nothrow",
    "tc_newarray_nothrow",
    "malloc_zone_malloc",
    "malloc_zone_calloc",
    "malloc_zone_valloc",
    "malloc_zone_realloc",
    "malloc_zone_memalign",
    "malloc_zone_free",
    r"runtime\..*",
    "BaseArena::.*",
    "(::)?do_malloc_no_errno",
    "(::)?do_malloc_pages",
    "(::)?do_malloc",
    "DoSampledAllocation",
    "MallocedMemBlock::MallocedMemBlock",
    "_M_allocate",
    "__builtin_(vec_)?delete",
    "__builtin_(vec_)?new",
    "__gnu_cxx::new_allocator::allocate",
    "__libc_malloc",
    "__malloc_alloc_template::allocate",
    "allocate",
    "cpp_alloc",
    r"operator new(\[\])?",
    "simple_alloc::allocate",
];
/// Frames of Go's runtime that stand in the middle of a stack.
const KEPT: [&str; 3] = [
    r"runtime\.panic",
    r"runtime\.reflectcall",
    r"runtime\.call[0-9]*",
];
/// Functions that lock.
const LOCKS: [&str; 17] = [
    "RecordLockProfileData",
    "(base::)?RecordLockProfileData.*",
    "(base::)?SubmitMutexProfileData.*",
    "(base::)?SubmitSpinLockProfileData.*",
    "(base::Mutex::)?AwaitCommon.*",
    "(base::Mutex::)?Unlock.*",
    "(base::Mutex::)?UnlockSlow.*",
    "(base::Mutex::)?ReaderUnlock.*",
    "(base::MutexLock::)?~MutexLock.*",
    "(Mutex::)?AwaitCommon.*",
    "(Mutex::)?Unlock.*",
    "(Mutex::)?UnlockSlow.*",
    "(Mutex::)?ReaderUnlock.*",
    "(MutexLock::)?~MutexLock.*",
    "(SpinLock::)?Unlock.*",
    "(SpinLock::)?SlowUnlock.*",
    "(SpinLockHolder::)?~SpinLockHolder.*",
];
/// Functions that take a CPU sample.
const SIGNAL_HANDLERS: [&str; 5] = [
    "ProfileData::Add",
    "ProfileData::prof_handler",
    "CpuProfiler::prof_handler",
    "__pthread_sighandler",
    "__restore",
];

/// Sets what to drop and what to keep.
pub(super) fn set(profile: &mut Profile) {
    let types: Vec<&str> = profile
        .sample_types()
        .iter()
        .map(|t| profile.text(t.kind))
        .collect();
    let (drop, keep) = match types.as_slice() {
        ["allocations", "size"]
        | ["objects", "space"]
        | ["inuse_objects", "inuse_space"]
        | ["alloc_objects", "alloc_space"]
        | [
            "alloc_objects",
            "alloc_space",
            "inuse_objects",
            "inuse_space",
        ] => (ALLOCATORS.join("|"), KEPT.join("|")),
        ["contentions", "delay"] => (LOCKS.join("|"), String::new()),
        _ => (SIGNAL_HANDLERS.join("|"), String::new()),
    };
    profile.drop_frames = profile.intern(&drop);
    profile.keep_frames = profile.intern(&keep);
}
