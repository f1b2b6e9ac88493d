//! Runs experiments side by side: each decides, the hands act, the recorder writes down.

use std::time::Duration;

use shakedown_acquire::{Hands, Recorder};
use shakedown_experiment::{Experiment, Step};

/// Experiments are asked again at least so often.
const NAP_MAX: Duration = Duration::from_millis(250);

/// Runs the experiments of one lane to their ends, or until `limit` has passed.
pub(crate) async fn run(
    hands: &Hands,
    recorder: &Recorder,
    lane: &mut [Box<dyn Experiment>],
    limit: Duration,
) {
    let mut tasks: Vec<_> = lane
        .iter_mut()
        .map(|experiment| Box::pin(one(hands, recorder, experiment.as_mut())))
        .collect();
    let all = std::future::poll_fn(|context| {
        tasks.retain_mut(|task| task.as_mut().poll(context).is_pending());
        if tasks.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    });
    if tokio::time::timeout(limit, all).await.is_err() {
        recorder.trouble(format!(
            "a step of the run did not end within {} s and was left",
            limit.as_secs()
        ));
    }
}

/// One experiment, to its end.
async fn one(hands: &Hands, recorder: &Recorder, experiment: &mut dyn Experiment) {
    recorder.mark(format!("{}: begin", experiment.name()));
    loop {
        let now = recorder.now();
        match recorder.read(|seen| experiment.next(seen, now)) {
            Step::Do(action) => hands.perform(action).await,
            Step::Wait(until) => {
                let nap = until
                    .since(recorder.now())
                    .clamp(Duration::from_millis(1), NAP_MAX);
                tokio::time::sleep(nap).await;
            }
            Step::Done(how) => {
                recorder.mark(format!("{}: {how}", experiment.name()));
                return;
            }
        }
    }
}
