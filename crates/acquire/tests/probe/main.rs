//! The prober against peers that we did not write: a Go service with grpc-go and net/http, and
//! sockets that answer badly.

mod calls;
mod fetch;
mod grpcurl;
mod half;
mod hostile;
mod identify;
mod peer;
mod pprof;
mod ready;
mod run;
mod windows;
