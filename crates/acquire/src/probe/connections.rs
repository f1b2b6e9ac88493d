//! HTTP/2 connections that stay open between calls.

use std::collections::HashMap;

use shakedown_evidence::Purpose;
use tokio::sync::Mutex;

use super::connect::{Channel, Driver, H2c};

/// What a connection is used for: a server that stops reading one because its handlers hang must
/// not hold up the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// Calls whose answer is awaited.
    Traffic,
    /// Calls that are reset, by us or at their deadline.
    Audit,
    /// Calls over a stop, whose connection the server closes.
    Stop,
}

impl Lane {
    pub(crate) const fn of(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Locate | Purpose::Traffic | Purpose::Batch | Purpose::Recover => Self::Traffic,
            Purpose::Deadline | Purpose::Cancel => Self::Audit,
            Purpose::Stop => Self::Stop,
        }
    }
}

/// At most one connection for each listener and lane takes new streams.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    current: HashMap<(String, Lane), H2c>,
    /// The server takes no new streams on these (GOAWAY); streams that are open go on.
    retired: Vec<Driver>,
}

impl Connections {
    /// The connection to a listener, opened if there is none that takes new streams.
    pub(crate) async fn get(&self, reach: &str, lane: Lane) -> Result<Channel, String> {
        let key = (reach.to_owned(), lane);
        let mut held = self.held.lock().await;
        if let Some(connection) = held.current.get(&key) {
            if connection.is_usable().await {
                return Ok(connection.channel.clone());
            }
            let retired = held.current.remove(&key).map(H2c::retire);
            held.retired.extend(retired);
            held.retired.retain(|driver| !driver.is_finished());
        }
        let connection = H2c::connect(reach).await?;
        let channel = connection.channel.clone();
        held.current.insert(key, connection);
        Ok(channel)
    }

    /// Closes all and waits until they are closed.
    pub(crate) async fn close_all(&self) {
        let held = std::mem::take(&mut *self.held.lock().await);
        let current = held.current.into_values().map(H2c::retire);
        for driver in held.retired.into_iter().chain(current) {
            driver.finish().await;
        }
    }
}
