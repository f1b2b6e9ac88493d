//! Names that tie a goroutine count to the step of the run that took it.

/// Batches that are counted; one more goes before them to fill pools and caches.
pub const BATCHES: usize = 4;
/// Counts taken to see whether the service has come to rest.
pub const QUIET: &str = "quiet";
/// Counts taken while ordinary traffic runs.
pub const IN_TRAFFIC: &str = "in traffic";
/// Label of the count before the first counted batch.
pub const BASE: &str = "leak: base";
/// Label of the count after the hold.
pub const HELD: &str = "leak: held";

/// Label of the count after a batch, counted from 1.
#[must_use]
pub fn after(batch: usize) -> String {
    format!("leak: after batch {batch}")
}

/// Added to the label of a mark for what is looked at after the collection that the look at the
/// heap asks for.
#[must_use]
pub fn collected(label: &str) -> String {
    format!("{label}, collected")
}

/// Label of the counts while a batch is under way: they show that counts follow the service.
pub const IN_BATCH: &str = "leak: in batch";

/// Starts that end in SIGQUIT: as many points as a line needs.
pub const ROUNDS: usize = 4;

/// Label of the dump of such a start, counted from 0.
#[must_use]
pub fn quit(round: usize) -> String {
    format!("further start {} of {ROUNDS}: SIGQUIT", round + 1)
}

/// Label of the dump of a start whose callers lost interest, counted from 0.
#[must_use]
pub fn quit_audit(number: usize) -> String {
    format!("handlers {}: SIGQUIT", number + 1)
}

/// The dump of a process that did not end when it was told to.
pub const STOP: &str = "stop";

/// Counts taken while we send nothing to a service that others may use as well.
pub const OTHERS: &str = "others";
