//! The handlers: the same question over HTTP and over gRPC.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use tonic::{Request, Response, Status};

use crate::inventory::Inventory;
use crate::pb::orders::orders_server::{self, OrdersServer};
use crate::pb::orders::{GetRequest, GetResponse};

/// `GET /orders/{id}`.
pub(crate) async fn order(
    State(inventory): State<Inventory>,
    Path(id): Path<String>,
) -> (StatusCode, String) {
    match find(&inventory, &id).await {
        Ok(on_stock) => (StatusCode::OK, format!("order {id}: {on_stock} on stock\n")),
        Err(status) => {
            tracing::warn!(id, error = status.message(), "stock unknown");
            let reason = format!("order {id}: stock unknown\n");
            (StatusCode::BAD_GATEWAY, reason)
        }
    }
}

/// `orders.v1.Orders`.
#[derive(Debug)]
pub(crate) struct Orders {
    inventory: Inventory,
}

impl Orders {
    pub(crate) fn new(inventory: Inventory) -> OrdersServer<Self> {
        OrdersServer::new(Orders { inventory })
    }
}

#[tonic::async_trait]
impl orders_server::Orders for Orders {
    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let id = request.into_inner().id;
        let on_stock = find(&self.inventory, &id).await?;
        Ok(Response::new(GetResponse { id, on_stock }))
    }
}

/// Lines of the log have the ids of the request's span; so have those of the task beside it, which
/// ends with the request's deadline, or when the client leaves.
async fn find(inventory: &Inventory, id: &str) -> Result<i32, Status> {
    tracing::info!(id, "order asked");
    shakedown_kit::spawn(audit(id.to_owned()));
    inventory.check(&format!("item-{id}")).await
}

async fn audit(id: String) {
    tokio::time::sleep(Duration::from_millis(5)).await;
    tracing::info!(id, "order audited");
}
