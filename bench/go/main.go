// SPDX-License-Identifier: Apache-2.0

// CPU per span of OpenTelemetry's SDK for Go: tracer, batch processor, OTLP over gRPC.
//
//	sdk ENDPOINT SPANS
//
// For each line on standard input it creates and exports SPANS spans of 20 attributes, and prints the CPU microseconds
// per span, and those for its attributes alone.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func attributes(i int) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("network.transport", "tcp"),
		attribute.String("network.type", "ipv4"),
		attribute.String("network.local.address", "10.0.0.1"),
		attribute.Int("network.local.port", 32768+i&16383),
		attribute.String("network.peer.address", "10.0.0.2"),
		attribute.Int("network.peer.port", 443),
		attribute.String("wirespan.connection.direction", "outbound"),
		attribute.String("wirespan.connection.id", strconv.Itoa(i)),
		attribute.Int("wirespan.netns.inode", 4026531840),
		attribute.Int("process.pid", 4242),
		attribute.String("process.executable.name", "curl"),
		attribute.String("thread.name", "curl"),
		attribute.Int("wirespan.thread.tid", 4242),
		attribute.Int("wirespan.process.uid", 1000),
		attribute.String("wirespan.process.source", "connect"),
		attribute.String("wirespan.tcp.close.reason", "fin_local"),
		attribute.Int("wirespan.tcp.bytes_sent", 1000+i),
		attribute.Int("wirespan.tcp.bytes_received", 500+i),
		attribute.Int("wirespan.tcp.retransmits", 0),
		attribute.Float64("wirespan.tcp.rtt", 0.00025),
	}
}

var kept []attribute.KeyValue

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: sdk ENDPOINT SPANS")
	}
	spans, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(os.Args[1]))
	if err != nil {
		log.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "curl"))),
		sdktrace.WithBatcher(exporter, sdktrace.WithMaxQueueSize(2*spans), sdktrace.WithMaxExportBatchSize(512)),
	)
	tracer := provider.Tracer("wirespan.tcplife")
	start := time.Now()
	for input := bufio.NewScanner(os.Stdin); input.Scan(); {
		before := cpu()
		for i := range spans {
			kept = attributes(i)
		}
		made := cpu()
		for i := range spans {
			_, span := tracer.Start(ctx, "tcp connection", trace.WithTimestamp(start), trace.WithAttributes(attributes(i)...))
			span.End(trace.WithTimestamp(start.Add(time.Second)))
			if i%2048 == 2047 {
				if err := provider.ForceFlush(ctx); err != nil {
					log.Fatal(err)
				}
			}
		}
		if err := provider.ForceFlush(ctx); err != nil {
			log.Fatal(err)
		}
		each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(spans) }
		fmt.Println(each(cpu()-made), each(made-before))
	}
}
