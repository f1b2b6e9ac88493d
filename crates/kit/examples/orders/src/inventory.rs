//! The service that `orders` asks, by gRPC: with what is left of the request's deadline, and in its
//! trace.

use shakedown_kit::outgoing::{CallLayer, Calls};
use tonic::Status;
use tonic::transport::{Channel, Endpoint, Error};
use tower_layer::Layer as _;

use crate::pb::inventory::CheckRequest;
use crate::pb::inventory::inventory_client::InventoryClient;

/// A client that every handler shares. It connects with the first call, and again when it has to.
#[derive(Debug, Clone)]
pub(crate) struct Inventory {
    client: InventoryClient<Calls<Channel>>,
}

impl Inventory {
    /// The service at `HOST:PORT`.
    pub(crate) fn at(address: &str) -> Result<Self, Error> {
        let channel = Endpoint::from_shared(format!("http://{address}"))?.connect_lazy();
        Ok(Inventory {
            client: InventoryClient::new(CallLayer::new().layer(channel)),
        })
    }

    /// How many pieces of an item are on stock.
    pub(crate) async fn check(&self, item: &str) -> Result<i32, Status> {
        let request = CheckRequest {
            item: item.to_owned(),
        };
        let answer = self.client.clone().check(request).await?;
        Ok(answer.into_inner().on_stock)
    }
}
