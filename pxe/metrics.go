package pxe

import "github.com/prometheus/client_golang/prometheus"

// metrics counts what happens. Labels have few values, none of them from the network.
type metrics struct {
	answers   *prometheus.CounterVec // protocol, message, answer ("" withheld)
	malformed *prometheus.CounterVec // protocol
	dropped   *prometheus.CounterVec // why
	bytes     *prometheus.CounterVec // protocol
}

func newMetrics() *metrics {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "bootyard", Subsystem: "pxe", Name: name, Help: help}, labels)
	}
	return &metrics{
		answers:   vec("requests_total", "Boot requests by protocol, message and answer; no answer means withheld.", "protocol", "message", "answer"),
		malformed: vec("malformed_total", "Packets and requests that could not be understood.", "protocol"),
		dropped:   vec("dropped_total", "Packets dropped before they were looked at.", "why"),
		bytes:     vec("sent_bytes_total", "Bytes of boot files and scripts sent.", "protocol"),
	}
}

// Collectors returns the counters of the server, to be registered by the caller.
func (s *Server) Collectors() []prometheus.Collector {
	return []prometheus.Collector{s.metrics.answers, s.metrics.malformed, s.metrics.dropped, s.metrics.bytes}
}
