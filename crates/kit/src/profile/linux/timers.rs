//! A timer for each thread of the process, on the thread's own CPU clock.
//!
//! One timer for the process (ITIMER_PROF) favours some threads over others, and there is only one;
//! a timer for each thread counts each thread's time, and needs nothing of the thread: the kernel
//! takes any thread of the process as target. Threads are found in /proc/self/task.
#![expect(unsafe_code, reason = "makes and deletes timers of the kernel")]

use std::collections::HashMap;
use std::time::Duration;

use super::signal;

/// The timers of one profile.
#[derive(Debug)]
pub(crate) struct Timers {
    session: u32,
    period: Duration,
    /// The thread that takes the profile, which is not part of it.
    except: libc::pid_t,
    /// None for a thread that the kernel gave no timer.
    threads: HashMap<libc::pid_t, Option<Timer>>,
    random: u64,
    /// Threads that ran without a timer: the kernel counts timers against RLIMIT_SIGPENDING.
    pub(crate) refused: u32,
}

#[derive(Debug)]
struct Timer(libc::timer_t);

// SAFETY: on musl the id is typed as a pointer, but it is a number that the kernel gave, and any
// thread may use it.
unsafe impl Send for Timer {}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: made by `timer_create` and deleted once.
        unsafe {
            libc::timer_delete(self.0);
        }
    }
}

impl Timers {
    pub(crate) fn new(session: u32, period: Duration, except: libc::pid_t, seed: u64) -> Self {
        Timers {
            session,
            period,
            except,
            threads: HashMap::new(),
            random: seed | 1,
            refused: 0,
        }
    }

    /// Gives a timer to each thread that has none, and forgets threads that have ended.
    pub(crate) fn scan(&mut self) -> std::io::Result<()> {
        let mut here = Vec::with_capacity(self.threads.len() + 8);
        for entry in std::fs::read_dir("/proc/self/task")? {
            let name = entry?.file_name();
            here.extend(
                name.to_str()
                    .and_then(|name| name.parse::<libc::pid_t>().ok()),
            );
        }
        for &tid in &here {
            if tid != self.except && !self.threads.contains_key(&tid) {
                let timer = self.give(tid);
                self.threads.insert(tid, timer);
            }
        }
        if self.threads.len() >= here.len() {
            here.sort_unstable();
            self.threads
                .retain(|tid, _| here.binary_search(tid).is_ok());
        }
        Ok(())
    }

    fn give(&mut self, tid: libc::pid_t) -> Option<Timer> {
        let first = self.first();
        match create(tid, self.session)
            .and_then(|timer| start(&timer, first, self.period).map(|()| timer))
        {
            Ok(timer) => Some(timer),
            Err(error) => {
                // What the kernel says of a thread that has ended meanwhile.
                if error.raw_os_error() != Some(libc::EINVAL) {
                    self.refused += 1;
                }
                None
            }
        }
    }

    /// When a thread's timer goes off first: at any moment of a period. Without that, threads that
    /// live shorter than a period would never be seen, and the others always at the same places.
    fn first(&mut self) -> Duration {
        // xorshift64, which is enough to spread.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let period = u64::try_from(self.period.as_nanos())
            .unwrap_or(u64::MAX)
            .max(1);
        Duration::from_nanos(self.random % period + 1)
    }
}

/// The CPU clock of a thread, as the kernel numbers it: `CPUCLOCK_SCHED` of one thread.
fn clock_of(tid: libc::pid_t) -> libc::clockid_t {
    const SCHED: libc::clockid_t = 2;
    const PER_THREAD: libc::clockid_t = 4;
    (!tid << 3) | SCHED | PER_THREAD
}

fn create(tid: libc::pid_t, session: u32) -> std::io::Result<Timer> {
    // SAFETY: all zero is a valid `sigevent` and a valid timer id; the kernel checks the rest.
    unsafe {
        let mut event: libc::sigevent = std::mem::zeroed();
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = libc::SIGPROF;
        event.sigev_notify_thread_id = tid;
        event.sigev_value = signal::value_of_session(session);
        let mut id: libc::timer_t = std::mem::zeroed();
        if libc::timer_create(clock_of(tid), &raw mut event, &raw mut id) != 0 {
            return Err(std::io::Error::last_os_error());
        }
        Ok(Timer(id))
    }
}

fn start(timer: &Timer, first: Duration, period: Duration) -> std::io::Result<()> {
    let of = |time: Duration| libc::timespec {
        tv_sec: time.as_secs() as _,
        tv_nsec: time.subsec_nanos() as _,
    };
    let times = libc::itimerspec {
        it_interval: of(period),
        it_value: of(first),
    };
    // SAFETY: the timer is alive, and `times` is read only.
    let result = unsafe { libc::timer_settime(timer.0, 0, &raw const times, std::ptr::null_mut()) };
    if result != 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_ticks_are_spread_over_the_period() {
        let period = Duration::from_millis(10);
        let mut timers = Timers::new(1, period, 0, 42);
        let firsts: Vec<Duration> = (0..1000).map(|_| timers.first()).collect();
        assert!(
            firsts
                .iter()
                .all(|first| !first.is_zero() && *first <= period)
        );
        let early = firsts.iter().filter(|first| **first < period / 2).count();
        assert!((400..600).contains(&early), "{early}");
    }

    #[test]
    fn a_thread_that_is_gone_is_not_a_refusal() {
        let tid = std::thread::spawn(|| {
            // SAFETY: asks for a number.
            unsafe { libc::gettid() }
        });
        let tid = tid.join().expect("no panic");
        let mut timers = Timers::new(1, Duration::from_millis(10), 0, 1);
        // The kernel may still be taking the thread away.
        while std::path::Path::new(&format!("/proc/self/task/{tid}")).exists() {
            std::thread::yield_now();
        }
        assert!(timers.give(tid).is_none());
        assert_eq!(timers.refused, 0);
    }
}
