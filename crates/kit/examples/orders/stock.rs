//! The service that `orders` asks: over HTTP, with what is left of the request's deadline.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use shakedown_kit::outgoing::CallLayer;
use tower_layer::Layer;
use tower_service::Service;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Where stock is asked.
#[derive(Clone)]
pub(crate) struct Stock {
    address: String,
}

impl Stock {
    pub(crate) fn at(address: String) -> Self {
        Stock { address }
    }

    /// What the other service says of an order.
    pub(crate) async fn ask(&self, id: u64) -> Result<String, BoxError> {
        let request = Request::get(format!("/stock/{id}"))
            .header("host", &self.address)
            .body(Empty::new())?;
        let answer = CallLayer::new().layer(self.clone()).call(request).await?;
        let body = answer.into_body().collect().await?.to_bytes();
        Ok(String::from_utf8_lossy(&body).trim().to_owned())
    }
}

/// What went wrong on the way.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("no connection: {0}")]
    Connect(#[from] std::io::Error),
    #[error("no answer: {0}")]
    Answer(#[from] hyper::Error),
}

/// A client with a connection for each call, which is enough for an example.
impl Service<Request<Empty<Bytes>>> for Stock {
    type Response = Response<Incoming>;
    type Error = AskError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, AskError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), AskError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Empty<Bytes>>) -> Self::Future {
        let address = self.address.clone();
        Box::pin(async move {
            let stream = tokio::net::TcpStream::connect(address).await?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            shakedown_kit::spawn(connection);
            Ok(sender.send_request(request).await?)
        })
    }
}
