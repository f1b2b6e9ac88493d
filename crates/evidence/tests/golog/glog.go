package main

import (
	"errors"
	"flag"
	"os"

	"github.com/golang/glog"
	"k8s.io/klog/v2"
)

// glogLines are those of glog and of klog, which was made from it and has its own form for
// structured messages.
func glogLines() {
	_ = flag.Set("logtostderr", "true")
	os.Stderr = os.Stdout
	glog.Info("order stored")
	glog.Warningf("order %d stored in %s trace_id=%s span_id=%s", 7, "1.5ms", traceHex, spanHex)
	glog.Error("payment refused")
	glog.Flush()

	klog.SetOutput(os.Stdout)
	flags := flag.NewFlagSet("klog", flag.PanicOnError)
	klog.InitFlags(flags)
	_ = flags.Set("logtostderr", "false")
	klog.Info("order stored")
	klog.Warningf("order %d stored", 7)
	klog.InfoS("order stored", "id", 7, "trace_id", traceHex, "span_id", spanHex)
	klog.InfoS("order stored", "id", 7, "note", "two\nlines")
	klog.ErrorS(errors.New("card expired"), "payment refused", "id", 7)
	logger := klog.LoggerWithName(klog.Background(), "store").WithValues("trace_id", traceHex, "span_id", spanHex)
	logger.Info("order stored", "id", 7)
	klog.Flush()
}
