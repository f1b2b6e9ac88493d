package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/gorilla/handlers"
	"github.com/labstack/echo/v4"
	echomiddleware "github.com/labstack/echo/v4/middleware"
	"github.com/rs/zerolog"
	"github.com/rs/zerolog/hlog"
	"time"
)

// accessLines serves a few requests through the access logs of common routers.
func accessLines() {
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/missing" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, "hello")
	})
	log.SetOutput(os.Stdout)

	visit(handlers.LoggingHandler(os.Stdout, hello))
	visit(handlers.CombinedLoggingHandler(os.Stdout, hello))

	visit(middleware.RequestLogger(&middleware.DefaultLogFormatter{Logger: log.New(os.Stdout, "", log.LstdFlags), NoColor: true})(hello))
	visit(middleware.RequestLogger(&middleware.DefaultLogFormatter{Logger: log.New(os.Stdout, "", log.LstdFlags)})(hello))

	gin.DefaultWriter = os.Stdout
	engine := gin.Default()
	engine.Any("/*path", gin.WrapH(hello))
	visit(engine)
	gin.ForceConsoleColor()
	visit(engine)

	server := echo.New()
	server.Use(echomiddleware.Logger())
	server.Any("/*", echo.WrapHandler(hello))
	visit(server)

	accessLog := hlog.AccessHandler(func(r *http.Request, status, size int, took time.Duration) {
		hlog.FromRequest(r).Info().Str("method", r.Method).Stringer("url", r.URL).Int("status", status).Int("size", size).Dur("duration", took).Msg("")
	})
	visit(hlog.NewHandler(zerolog.New(os.Stdout).With().Timestamp().Logger())(accessLog(hlog.RemoteAddrHandler("ip")(hello))))
}

func visit(handler http.Handler) {
	server := httptest.NewServer(handler)
	defer server.Close()
	for _, path := range []string{"/orders/17?verbose=1", "/missing"} {
		response, err := http.Get(server.URL + path)
		must(err)
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
	response, err := http.Post(server.URL+"/orders", "application/json", nil)
	must(err)
	_ = response.Body.Close()
}
