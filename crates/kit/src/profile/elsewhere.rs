//! The same functions where nothing is measured.

pub mod cpu {
    //! CPU profile: not measured on this platform.
    use crate::profile::NotMeasured;
    pub use crate::profile::contract::Options;

    /// A CPU profile; there is none on this platform.
    #[derive(Debug)]
    pub enum Session {}

    /// Answers [`NotMeasured::Platform`].
    ///
    /// # Errors
    /// Always.
    pub fn start(_options: Options) -> Result<Session, NotMeasured> {
        Err(NotMeasured::Platform)
    }

    impl Session {
        /// Cannot be called: there is no session.
        pub fn finish(self) -> Vec<u8> {
            match self {}
        }
    }
}

pub mod heap {
    //! Heap profile: not measured on this platform; the wrapper passes everything on.
    #![expect(unsafe_code, reason = "is an allocator")]
    use std::alloc::{GlobalAlloc, Layout};

    use crate::profile::NotMeasured;
    pub use crate::profile::contract::{HeapOptions as Options, Kind};

    /// Not known on this platform.
    pub fn live_bytes() -> Option<u64> {
        None
    }

    /// A global allocator that passes everything on to `A`.
    #[derive(Debug, Clone, Copy, Default)]
    pub struct Sampler<A> {
        inner: A,
    }

    impl<A> Sampler<A> {
        /// Wraps an allocator.
        pub const fn new(inner: A) -> Self {
            Sampler { inner }
        }
    }

    // SAFETY: every request goes to `inner` as it came, and its answer back as it is.
    unsafe impl<A: GlobalAlloc> GlobalAlloc for Sampler<A> {
        #[inline]
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller's promise is passed on.
            unsafe { self.inner.alloc(layout) }
        }
        #[inline]
        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller's promise is passed on.
            unsafe { self.inner.alloc_zeroed(layout) }
        }
        #[inline]
        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: the caller's promise is passed on.
            unsafe { self.inner.dealloc(block, layout) };
        }
        #[inline]
        unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            // SAFETY: the caller's promise is passed on.
            unsafe { self.inner.realloc(block, layout, size) }
        }
    }

    /// Answers [`NotMeasured::Platform`].
    ///
    /// # Errors
    /// Always.
    pub fn start(_options: Options) -> Result<(), NotMeasured> {
        Err(NotMeasured::Platform)
    }

    /// False: nothing is sampled.
    pub fn is_installed() -> bool {
        false
    }

    /// Answers [`NotMeasured::Platform`].
    ///
    /// # Errors
    /// Always.
    pub fn profile(_kind: Kind) -> Result<Vec<u8>, NotMeasured> {
        Err(NotMeasured::Platform)
    }
}

pub mod block {
    //! Blocked-poll profile: not measured on this platform.
    use std::time::Duration;

    use crate::profile::NotMeasured;

    /// A poll that lasts longer holds a worker.
    pub const THRESHOLD: Duration = Duration::from_millis(10);

    /// Does nothing.
    #[inline]
    pub fn poll_begins() {}

    /// Does nothing.
    #[inline]
    pub fn poll_ended() {}

    /// A poll, from its making to its dropping.
    #[derive(Debug)]
    pub struct Poll {
        _not_send: std::marker::PhantomData<*const ()>,
    }

    impl Poll {
        /// The poll begins.
        #[inline]
        #[must_use = "the poll ends when this is dropped"]
        pub fn begin() -> Self {
            Poll {
                _not_send: std::marker::PhantomData,
            }
        }
    }

    /// Looks after the workers; there is none on this platform.
    #[derive(Debug)]
    pub enum Watchdog {}

    impl Watchdog {
        /// Answers [`NotMeasured::Platform`].
        ///
        /// # Errors
        /// Always.
        pub fn start() -> Result<Self, NotMeasured> {
            Err(NotMeasured::Platform)
        }
    }

    /// Answers [`NotMeasured::Platform`].
    ///
    /// # Errors
    /// Always.
    pub fn profile() -> Result<Vec<u8>, NotMeasured> {
        Err(NotMeasured::Platform)
    }
}

pub mod threads {
    //! Threads: not measured on this platform.
    use crate::profile::NotMeasured;

    /// Answers [`NotMeasured::Platform`].
    ///
    /// # Errors
    /// Always.
    pub fn profile() -> Result<Vec<u8>, NotMeasured> {
        Err(NotMeasured::Platform)
    }
}

pub mod symbolize {
    //! Names of code addresses: not known on this platform.
    pub use crate::profile::contract::Frame;

    /// No frames for any address.
    pub fn resolve(addresses: &[u64]) -> Vec<Vec<Frame>> {
        addresses.iter().map(|_| Vec::new()).collect()
    }
}
