//! A small service with everything switched on: HTTP by axum, a configuration that is reloaded, work
//! beside a request, and a call to another service.
//!
//! ```sh
//! cargo run -p shakedown-kit --example orders
//! curl -i http://127.0.0.1:8080/orders/1
//! go tool pprof -top 'http://127.0.0.1:6060/debug/pprof/profile?seconds=5'
//! curl 'http://127.0.0.1:6060/debug/kit/tasks'
//! ```

mod stock;

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use shakedown_kit::deadline::DeadlineLayer;
use shakedown_kit::profile::heap::Sampler;
use shakedown_kit::{Error, Kit, logs};
use stock::Stock;

#[global_allocator]
static ALLOCATOR: Sampler<std::alloc::System> = Sampler::new(std::alloc::System);

async fn order(State(stock): State<Stock>, Path(id): Path<u64>) -> String {
    tracing::info!(id, "asked");
    shakedown_kit::spawn(audit(id));
    match stock.ask(id).await {
        Ok(answer) => format!("order {id}: {answer}\n"),
        Err(error) => format!("order {id}: stock unknown: {error}\n"),
    }
}

async fn audit(id: u64) {
    tokio::time::sleep(Duration::from_millis(5)).await;
    tracing::info!(id, "audited");
}

fn main() -> Result<(), Error> {
    logs::init(&variable("LOG", "info")).map_err(|error| Error::Setup(error.into()))?;
    Kit::builder("orders")
        .admin(&variable("ADMIN_ADDR", "127.0.0.1:6060"))
        .deadlines(DeadlineLayer::new().default_deadline(Duration::from_secs(2)))
        .drain_limit(Duration::from_secs(10))
        .run(async |kit: Kit| {
            let stock = Stock::at(variable("STOCK_ADDR", "127.0.0.1:8081"));
            let router = Router::new()
                .route("/healthz", get(|| async { "ok" }))
                .route("/orders/{id}", get(order))
                .with_state(stock);
            let address = kit
                .serve(variable("HTTP_ADDR", "127.0.0.1:8080"), router)
                .await?;
            tracing::info!(%address, admin = ?kit.admin_address(), "listening");
            Ok(())
        })
}

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}
