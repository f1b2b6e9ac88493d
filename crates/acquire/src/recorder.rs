//! Where everything that happens is written down: into memory and into the bundle.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use shakedown_evidence::bundle::{BundleError, Writer};
use shakedown_evidence::secret::Known;
use shakedown_evidence::{
    Alive, At, Event, Evidence, GoroutineGroup, HeapSite, Interner, LiveHeap, Mark, ProbeFailure,
    ProbeKind, Snapshot, Stack, Trouble,
};
use tokio::sync::watch;

use crate::discretion::Discretion;

/// Why a probe brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// What came instead, and the remedy.
    pub text: String,
    /// The HTTP status of a refusal.
    pub status: Option<u16>,
}

impl From<String> for Why {
    fn from(text: String) -> Self {
        Self { text, status: None }
    }
}

impl From<&str> for Why {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

/// Shared by everything that acquires; clones are handles to the same record.
#[derive(Debug, Clone)]
pub struct Recorder {
    started: Instant,
    record: Arc<Mutex<Record>>,
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct Record {
    evidence: Evidence,
    interner: Interner,
    discretion: Arc<Discretion>,
    writer: Option<Writer>,
    lost: Option<BundleError>,
}

impl Recorder {
    /// Begins a record at `started`; without a writer nothing is kept on disk.
    #[must_use]
    pub fn new(started: Instant, writer: Option<Writer>) -> Self {
        Self {
            started,
            record: Arc::new(Mutex::new(Record {
                evidence: Evidence::default(),
                interner: Interner::default(),
                discretion: Arc::default(),
                writer,
                lost: None,
            })),
            changed: watch::Sender::new(()),
        }
    }

    /// Secrets that nothing may be written down of, besides what looks like one.
    pub fn keep_secret(&self, known: Known) {
        self.lock().discretion = Arc::new(Discretion::of(known));
    }

    /// A text of the service as it may be shown.
    #[must_use]
    pub fn shown(&self, text: &str) -> String {
        let discretion = Arc::clone(&self.lock().discretion);
        discretion.text(text)
    }

    /// Time of the run.
    #[must_use]
    pub fn now(&self) -> At {
        self.started.elapsed().into()
    }

    /// An instant in the time of the run.
    #[must_use]
    pub fn at(&self, instant: Instant) -> At {
        instant.saturating_duration_since(self.started).into()
    }

    /// The instant of a time of the run.
    #[must_use]
    pub fn instant(&self, at: At) -> Instant {
        self.started + Duration::from_micros(at.0)
    }

    /// Records one event.
    pub fn record(&self, event: Event) {
        // Looked through before it is anybody else's turn to wait for the record.
        let discretion = Arc::clone(&self.lock().discretion);
        let event = discretion.event(event);
        self.lock().put(event);
        self.changed.send_replace(());
    }

    /// Records a named action at this moment.
    pub fn mark(&self, name: impl Into<String>) {
        self.record(Event::Mark(Mark {
            at: self.now(),
            name: name.into(),
        }));
    }

    /// Records that the run itself has a problem.
    pub fn trouble(&self, what: impl Into<String>) {
        self.record(Event::Trouble(Trouble {
            at: self.now(),
            what: what.into(),
        }));
    }

    /// Records that a probe brought nothing.
    pub fn failed(&self, kind: ProbeKind, subject: impl Into<String>, why: impl Into<Why>) {
        let Why { text, status } = why.into();
        self.record(Event::ProbeFailed(ProbeFailure {
            at: self.now(),
            kind,
            subject: subject.into(),
            why: text,
            status,
        }));
    }

    /// Records goroutines: stacks that are new first, then the snapshot that names them.
    pub fn snapshot(&self, mut snapshot: Snapshot, groups: Vec<(Stack, u64, Vec<u64>)>) {
        let mut record = self.lock();
        for (stack, count, ids) in groups {
            let stack = record.position(stack);
            snapshot.groups.push(GoroutineGroup { stack, count, ids });
        }
        record.add(Event::Snapshot(snapshot));
        drop(record);
        self.changed.send_replace(());
    }

    /// Records a live heap: stacks that are new first, then the heap that names them.
    pub fn live_heap(&self, mut heap: LiveHeap, sites: Vec<(Stack, Alive)>) {
        let mut record = self.lock();
        for (stack, Alive { bytes, samples }) in sites {
            let stack = record.position(stack);
            heap.sites.push(HeapSite {
                stack,
                bytes,
                samples,
            });
        }
        record.add(Event::LiveHeap(heap));
        drop(record);
        self.changed.send_replace(());
    }

    /// Keeps bytes that an event is about to name.
    pub fn blob(&self, name: &str, bytes: Vec<u8>) {
        self.lock().keep(name, bytes);
    }

    /// Keeps bytes under the next free number, as `0001-cpu.pb.gz`, and gives the name.
    #[must_use]
    pub fn numbered_blob(&self, what: &str, bytes: Vec<u8>) -> String {
        let mut record = self.lock();
        let name = format!("{:04}-{what}", record.evidence.blobs.len() + 1);
        record.keep(&name, bytes);
        name
    }

    /// Writes a file beside the events, such as the report.
    pub fn file(&self, name: &str, bytes: &[u8]) {
        let mut record = self.lock();
        if let Some(Err(error)) = record
            .writer
            .as_mut()
            .map(|writer| writer.file(name, bytes))
        {
            record.lost.get_or_insert(error);
        }
    }

    /// Looks at the evidence so far. The look must be short: recording waits for it.
    pub fn read<T>(&self, look: impl FnOnce(&Evidence) -> T) -> T {
        look(&self.lock().evidence)
    }

    /// A signal that fires whenever something was recorded.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The first event that could not be written to the bundle, if any.
    #[must_use]
    pub fn take_loss(&self) -> Option<BundleError> {
        self.lock().lost.take()
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        // A panic while recording is our own bug; the record up to it is still true.
        self.record
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Record {
    /// The position of a stack, which is recorded if it is new.
    fn position(&mut self, stack: Stack) -> usize {
        let (position, new) = self.interner.intern(&stack);
        if new {
            self.add(Event::Stack(stack));
        }
        position
    }

    fn keep(&mut self, name: &str, bytes: Vec<u8>) {
        self.write(|writer| writer.blob(name, &bytes));
        self.evidence.blobs.insert(name.to_owned(), bytes);
    }

    fn add(&mut self, event: Event) {
        let event = self.discretion.event(event);
        self.put(event);
    }

    /// Adds what may be written down as it is.
    fn put(&mut self, event: Event) {
        self.write(|writer| writer.event(&event));
        self.evidence.apply(event);
    }

    /// Writes until the first loss and not beyond it: half a line is at the end of the bundle then,
    /// where a reader expects it, and not in its middle.
    fn write(&mut self, write: impl FnOnce(&mut Writer) -> Result<(), BundleError>) {
        if let Some(writer) = self.writer.as_mut().filter(|_| self.lost.is_none()) {
            self.lost = write(writer).err();
        }
    }
}

#[cfg(test)]
mod tests {
    use shakedown_evidence::bundle::EVENTS;

    use super::*;

    #[test]
    fn after_the_first_loss_only_memory_goes_on() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let bundle = folder.path().join("run");
        let writer = Writer::create(&bundle).expect("a new bundle");
        let recorder = Recorder::new(Instant::now(), Some(writer));
        recorder.mark("before");
        recorder.blob("no/such/folder", vec![1]);
        recorder.mark("after");
        let written = std::fs::read_to_string(bundle.join(EVENTS)).expect("events");
        assert!(written.contains("before") && !written.contains("after"));
        assert_eq!(recorder.read(|seen| seen.marks.len()), 2);
        assert!(recorder.take_loss().is_some());
    }
}
