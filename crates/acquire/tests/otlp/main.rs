//! The OTLP receiver against exporters that are not ours, and against what is no exporter.

mod client;
mod decoder;
mod encodings;
mod hostile;
mod messages;
mod peer;
mod protocol;

use std::time::{Duration, Instant};

use shakedown_acquire::Recorder;
use shakedown_acquire::otlp::{Limits, Receiver};
use shakedown_evidence::{ReceiverEvent, Span};

/// Far above what any step takes, on a loaded machine too.
const PATIENCE: Duration = Duration::from_secs(20);

/// A receiver of the test's own, on one port that the system chose.
struct Bench {
    recorder: Recorder,
    receiver: Receiver,
}

impl Bench {
    async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    async fn with(limits: Limits) -> Self {
        let recorder = Recorder::new(Instant::now(), None);
        let receiver = Receiver::start_with(recorder.clone(), limits)
            .await
            .expect("a loopback port");
        Self { recorder, receiver }
    }

    fn spans(&self) -> Vec<Span> {
        self.recorder.read(|evidence| evidence.spans.clone())
    }

    fn events(&self) -> Vec<ReceiverEvent> {
        self.recorder.read(|evidence| evidence.receiver.clone())
    }

    fn losses(&self) -> Vec<String> {
        self.recorder
            .read(|evidence| evidence.receiver_losses().map(str::to_owned).collect())
    }

    /// Waits until a loss is recorded whose text holds all of these.
    async fn loss(&self, parts: &[&str]) -> String {
        let fits = |why: &String| parts.iter().all(|part| why.contains(part));
        let mut changes = self.recorder.changes();
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(why) = self.losses().into_iter().find(|why| fits(why)) {
                    return why;
                }
                changes.changed().await.expect("the recorder lives");
            }
        });
        match found.await {
            Ok(why) => why,
            Err(_) => panic!("no loss with {parts:?} in {:?}", self.events()),
        }
    }

    /// It still takes spans, after whatever was done to it.
    async fn still_works(&self) {
        assert!(self.receiver.canary().await, "{:?}", self.events());
    }
}
