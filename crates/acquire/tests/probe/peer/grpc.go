package main

import (
	"context"
	"log"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	alphapb "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
)

// What a gRPC server registers beside the test service.
type extras int

const (
	bare extras = iota
	alphaOnly
	full
)

func serveGRPC(with extras, options ...grpc.ServerOption) string {
	server := grpc.NewServer(append(options, grpc.UnaryInterceptor(report))...)
	testpb.RegisterTestServiceServer(server, testService{})
	switch with {
	case full:
		healthpb.RegisterHealthServer(server, health.NewServer())
		reflection.Register(server)
	case alphaOnly:
		alphapb.RegisterServerReflectionServer(server, reflection.NewServer(reflection.ServerOptions{Services: server}))
	}
	listener := listen("127.0.0.1:0")
	go func() { log.Fatal(server.Serve(listener)) }()
	return listener.Addr().String()
}

// report tells the test what came in and how its context stood when the handler returned.
func report(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	left := -time.Millisecond
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	come, _ := metadata.FromIncomingContext(ctx)
	line := map[string]any{"method": info.FullMethod, "deadline_ms": left.Milliseconds(),
		"traceparent": first(come, "traceparent"), "extra": first(come, "x-extra")}
	line["event"] = "begin"
	say(line)
	answer, err := next(ctx, req)
	line["event"] = "end"
	line["context"] = ""
	if ctx.Err() != nil {
		line["context"] = ctx.Err().Error()
	}
	say(line)
	return answer, err
}

func first(md metadata.MD, key string) string {
	if values := md.Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

type testService struct {
	testpb.UnimplementedTestServiceServer
}

func (testService) EmptyCall(context.Context, *testpb.Empty) (*testpb.Empty, error) {
	return &testpb.Empty{}, nil
}

// UnaryCall does what the payload says: "wait" until its context ends, or "sleep 300ms" whatever
// the context says.
func (testService) UnaryCall(ctx context.Context, req *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	if want := req.GetResponseStatus(); want.GetCode() != 0 {
		return nil, status.Error(codes.Code(want.GetCode()), want.GetMessage())
	}
	switch verb, rest, _ := strings.Cut(string(req.GetPayload().GetBody()), " "); verb {
	case "wait":
		<-ctx.Done()
		return nil, status.FromContextError(ctx.Err()).Err()
	case "sleep":
		span, err := time.ParseDuration(rest)
		if err != nil {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}
		time.Sleep(span)
	}
	return &testpb.SimpleResponse{Payload: &testpb.Payload{Body: make([]byte, req.GetResponseSize())}}, nil
}

func (testService) StreamingOutputCall(req *testpb.StreamingOutputCallRequest, out grpc.ServerStreamingServer[testpb.StreamingOutputCallResponse]) error {
	for _, each := range req.GetResponseParameters() {
		select {
		case <-time.After(time.Duration(each.GetIntervalUs()) * time.Microsecond):
		case <-out.Context().Done():
			return out.Context().Err()
		}
		answer := &testpb.StreamingOutputCallResponse{Payload: &testpb.Payload{Body: make([]byte, each.GetSize())}}
		if err := out.Send(answer); err != nil {
			return err
		}
	}
	return nil
}
