//! A small service with everything switched on: HTTP by axum, gRPC by tonic, a call to another
//! service, work beside a request, spans over OTLP.
//!
//! ```sh
//! cargo run -p orders
//! curl -i http://127.0.0.1:8080/orders/1
//! grpcurl -plaintext -max-time 1 -d '{"id":"1"}' 127.0.0.1:7000 orders.v1.Orders/Get
//! go tool pprof -top 'http://127.0.0.1:6060/debug/pprof/profile?seconds=5'
//! curl http://127.0.0.1:6060/debug/kit/tasks
//! kill -USR2 $(pgrep -x orders)   # the executable as it is by now takes over; no request is lost
//! ```

mod api;
mod inventory;
mod pb;
mod settings;
mod telemetry;

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use shakedown_kit::deadline::DeadlineLayer;
use shakedown_kit::profile::heap::Sampler;
use shakedown_kit::swap::Swap;
use shakedown_kit::{Error, Kit};
use tonic::service::Routes;

use crate::api::{Orders, order};
use crate::inventory::Inventory;
use crate::settings::Settings;

#[global_allocator]
static ALLOCATOR: Sampler<std::alloc::System> = Sampler::new(std::alloc::System);

fn main() -> Result<(), Error> {
    let settings = Settings::read();
    // Ends after the service, so that the spans of its last requests go out.
    let _telemetry = telemetry::begin("orders", &settings.log).map_err(Error::Setup)?;
    Kit::builder("orders")
        .admin(&settings.admin)
        .deadlines(DeadlineLayer::new().default_deadline(Duration::from_secs(2)))
        .drain_limit(Duration::from_secs(10))
        .swap(Swap::new())
        .run(async |kit: Kit| {
            let inventory = Inventory::at(&settings.inventory)?;
            let http = Router::new()
                .route("/healthz", get(|| async { "ok" }))
                .route("/orders/{id}", get(order))
                .with_state(inventory.clone());
            let grpc = Routes::new(Orders::new(inventory)).add_service(pb::reflection()?);
            let http = kit.serve(&settings.http, http).await?;
            let grpc = kit.serve(&settings.grpc, grpc).await?;
            let admin = kit.admin_address();
            tracing::info!(%http, %grpc, ?admin, "listening");
            Ok(())
        })
}
