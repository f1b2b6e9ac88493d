//! What all connections share: bounds over the whole run, and the way into the record.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use shakedown_evidence::log::{ExportedLine, LogBatch, RawLine, Stream};
use shakedown_evidence::{At, Event, Evidence, ReceiverEvent, Span, SpanBatch};
use tokio::sync::Semaphore;

use super::body::{self, Refusal};
use super::decode::{decode_traces, weight};
use super::json::{decode_logs_json, decode_traces_json};
use super::limits::Limits;
use super::logs::{self, LogRecord, decode_logs};
use crate::Recorder;

/// Requests that are inflated and decoded at one time. With two the bounds on one request hold
/// for the process too, and a burst leaves a core to the service.
const DECODING: usize = 2;

/// What the spans of one event take in memory: as JSON, where a control character becomes six
/// bytes, an event stays below the 64 MiB that a bundle's line may have.
const BATCH_BYTES: usize = 4 << 20;

/// Shared by the tasks of one receiver.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) limits: Limits,
    /// Bytes of requests that may still be buffered.
    pub(super) buffer: Arc<Semaphore>,
    recorder: Recorder,
    decoding: Semaphore,
    closed: AtomicBool,
    tally: Mutex<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    spans: usize,
    bytes: usize,
    full: bool,
    records: usize,
    record_bytes: usize,
    refusals: usize,
    /// Trace ids of our own spans that are under way.
    canaries: HashSet<String>,
}

impl Intake {
    pub(super) fn new(recorder: Recorder, limits: Limits) -> Self {
        Self {
            buffer: Arc::new(Semaphore::new(limits.buffered_bytes)),
            decoding: Semaphore::new(DECODING),
            closed: AtomicBool::new(false),
            tally: Mutex::default(),
            recorder,
            limits,
        }
    }

    /// Inflates, decodes and records one export.
    pub(super) async fn take(&self, export: Exported, message: Bytes) -> Result<(), Refusal> {
        let limit = self.limits.request_bytes;
        let turn = self.decoding.acquire().await;
        // Off the runtime's threads: 16 MiB take a tenth of a second, and log lines are stamped
        // with the time at which they are read.
        let decoded = tokio::task::spawn_blocking(move || {
            if export.gzip {
                export.decode(&body::inflate(&message, limit)?)
            } else {
                export.decode(&message)
            }
        });
        let decoded = decoded.await.unwrap_or_else(|error| {
            Err(Refusal::Internal {
                why: error.to_string(),
            })
        })?;
        drop(turn);
        match decoded {
            Decoded::Spans(spans) => self.accept(export.by, spans),
            Decoded::Records(records) => self.accept_records(export.by, records),
        }
        Ok(())
    }

    /// Records log records at the times that they give. What does not fit any more is counted as
    /// dropped lines are.
    fn accept_records(&self, by: &str, records: Vec<LogRecord>) {
        if self.closed.load(Ordering::Acquire) || records.is_empty() {
            return;
        }
        let count = records.len();
        let bytes: usize = records.iter().map(logs::weight).sum();
        let mut tally = self.tally();
        let fits = tally.records + count <= self.limits.records
            && tally.record_bytes + bytes <= self.limits.record_bytes;
        if !fits {
            drop(tally);
            self.recorder.record(Event::LinesDropped(count as u64));
            return;
        }
        tally.records += count;
        tally.record_bytes += bytes;
        drop(tally);
        let at = self.recorder.now();
        let lines = self.recorder.read(|seen| {
            let records = records.into_iter();
            records
                .map(|record| line(at, seen, record))
                .collect::<Vec<_>>()
        });
        let weigh = |line: &ExportedLine| line.line.text.len() + size_of::<ExportedLine>();
        for lines in batches(lines, weigh) {
            let by = by.to_owned();
            self.recorder
                .record(Event::Logs(LogBatch { at, by, lines }));
        }
    }

    /// Records spans, except our own. What does not fit any more is dropped and said so, once:
    /// the exporter gets no error for a bound of ours, which it would write into the log that we
    /// judge.
    fn accept(&self, by: &str, mut spans: Vec<Span>) {
        if self.closed.load(Ordering::Acquire) {
            return;
        }
        let mut tally = self.tally();
        if !tally.canaries.is_empty() {
            spans.retain(|span| !tally.canaries.remove(&span.trace_id));
        }
        if spans.is_empty() {
            return;
        }
        let bytes: usize = spans.iter().map(weight).sum();
        let fits = !tally.full
            && tally.spans + spans.len() <= self.limits.spans
            && tally.bytes + bytes <= self.limits.span_bytes;
        if fits {
            tally.spans += spans.len();
            tally.bytes += bytes;
            drop(tally);
            let at = self.recorder.now();
            for spans in batches(spans, weight) {
                let by = by.to_owned();
                self.recorder
                    .record(Event::Spans(SpanBatch { at, by, spans }));
            }
        } else if !std::mem::replace(&mut tally.full, true) {
            let kept = tally.spans;
            drop(tally);
            self.write_down(format!(
                "the run's bound of {} spans or {} MiB is reached: {kept} spans are kept, later ones are dropped",
                self.limits.spans,
                self.limits.span_bytes >> 20,
            ));
        }
    }

    /// Records that spans may be missing, a bounded number of times.
    pub(super) fn refuse(&self, why: impl Into<String>) {
        let mut tally = self.tally();
        tally.refusals += 1;
        let count = tally.refusals;
        drop(tally);
        if count <= self.limits.refusals {
            self.write_down(why.into());
        } else if count == self.limits.refusals + 1 {
            self.write_down("more refusals followed, which are not listed".to_owned());
        }
    }

    /// Writes into the log book what came from somebody who may be a stranger: it is no loss.
    pub(super) fn stranger(&self, why: &str) {
        let mut tally = self.tally();
        tally.refusals += 1;
        let count = tally.refusals;
        drop(tally);
        if count <= self.limits.refusals && !self.closed.load(Ordering::Acquire) {
            self.recorder
                .mark(format!("span receiver: somebody's exporter: {why}"));
        }
    }

    /// Records that the receiver listens at an address.
    pub(super) fn listening(&self, addr: String) {
        let at = self.recorder.now();
        self.record(ReceiverEvent::Listening { at, addr });
    }

    /// Records that the receiver does not listen any more.
    pub(super) fn died(&self, why: impl Into<String>) {
        let at = self.recorder.now();
        let why = why.into();
        self.record(ReceiverEvent::Died { at, why });
    }

    /// Expects a span of our own, which is not to be recorded.
    pub(super) fn expect_canary(&self, trace_id: &str) {
        self.tally().canaries.insert(trace_id.to_owned());
    }

    /// Ends the waiting for a span of our own; true if it arrived.
    pub(super) fn canary_arrived(&self, trace_id: &str) -> bool {
        !self.tally().canaries.remove(trace_id)
    }

    /// Records that a span of our own arrived.
    pub(super) fn canary(&self) {
        let at = self.recorder.now();
        self.record(ReceiverEvent::Canary { at });
    }

    /// Nothing is recorded after this.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    fn write_down(&self, why: String) {
        let at = self.recorder.now();
        self.record(ReceiverEvent::Refused { at, why });
    }

    fn record(&self, event: ReceiverEvent) {
        if !self.closed.load(Ordering::Acquire) {
            self.recorder.record(Event::Receiver(event));
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        // Counts stay true if a holder panicked.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is exported, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exported {
    pub(super) by: &'static str,
    pub(super) signal: Signal,
    pub(super) json: bool,
    pub(super) gzip: bool,
}

/// What is kept of all that OTLP can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Logs,
}

enum Decoded {
    Spans(Vec<Span>),
    Records(Vec<LogRecord>),
}

impl Exported {
    fn decode(self, message: &[u8]) -> Result<Decoded, Refusal> {
        Ok(match (self.signal, self.json) {
            (Signal::Traces, false) => Decoded::Spans(decode_traces(message)?),
            (Signal::Traces, true) => Decoded::Spans(decode_traces_json(message)?),
            (Signal::Logs, false) => Decoded::Records(decode_logs(message)?),
            (Signal::Logs, true) => Decoded::Records(decode_logs_json(message)?),
        })
    }
}

/// A record is older than its arrival by a batch, not by more; a clock that says so is not ours.
const LATE: Duration = Duration::from_secs(60);

fn line(now: At, seen: &Evidence, record: LogRecord) -> ExportedLine {
    let said = (record.unix_ns > 0).then(|| seen.at_unix_ns(record.unix_ns));
    let written = said.filter(|at| *at <= now && now - *at <= LATE);
    ExportedLine {
        service: record.service,
        pid: record.pid,
        line: RawLine {
            at: written.unwrap_or(now),
            stream: Stream::Otlp,
            text: record.text,
            cut: record.cut,
        },
    }
}

/// Cuts what arrived into batches of bounded size.
fn batches<T>(all: Vec<T>, weigh: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut batches = vec![Vec::new()];
    let mut bytes = 0;
    for one in all {
        bytes += weigh(&one);
        if bytes > BATCH_BYTES {
            batches.push(Vec::new());
            bytes = weigh(&one);
        }
        if let Some(batch) = batches.last_mut() {
            batch.push(one);
        }
    }
    batches
}
