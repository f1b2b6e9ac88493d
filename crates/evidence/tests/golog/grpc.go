package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// grpcLines makes grpc-go's own logger speak, and the access log of go-grpc-middleware. It wants
// GRPC_GO_LOG_SEVERITY_LEVEL=info, and standard error kept.
func grpcLines() {
	access := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	log := logging.LoggerFunc(func(ctx context.Context, level logging.Level, message string, fields ...any) {
		access.Log(ctx, slog.Level(level), message, fields...)
	})
	events := logging.WithLogOnEvents(logging.StartCall, logging.FinishCall)
	server := grpc.NewServer(grpc.ChainUnaryInterceptor(logging.UnaryServerInterceptor(log, events)))
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go func() { _ = server.Serve(listener) }()

	client, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(err)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, service := range []string{"", "nobody"} {
		_, _ = grpc_health_v1.NewHealthClient(client).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
	}
	raw, err := net.Dial("tcp", listener.Addr().String())
	must(err)
	_, _ = io.WriteString(raw, "GET / HTTP/1.1\r\n\r\n")
	_ = raw.Close()
	time.Sleep(100 * time.Millisecond) // The server logs the broken preface from a goroutine of its own.
	_ = client.Close()
	server.Stop()
	time.Sleep(100 * time.Millisecond)
}
