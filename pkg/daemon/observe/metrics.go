package observe

import (
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/medforge/medforge/pkg/event"
)

// Metrics are what Prometheus gets.
type Metrics struct {
	registry *prometheus.Registry
	logger   *slog.Logger

	requests   *prometheus.CounterVec
	duration   *prometheus.HistogramVec
	inFlight   *prometheus.GaugeVec
	websockets *prometheus.GaugeVec
	events     *prometheus.CounterVec
	scored     *prometheus.CounterVec
}

// NewMetrics makes a registry of its own. version is the daemon's.
func NewMetrics(version string, logger *slog.Logger) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), logger: logger,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "medforge_http_requests_total",
			Help: "Requests that were answered, by listener, by the route table's name for the route, and by status."}, []string{"listener", "route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "medforge_http_request_duration_seconds",
			Help:    "Time from a request's headers to the end of its answer. WebSockets are left out.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}, []string{"route"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "medforge_http_requests_in_flight",
			Help: "Requests that are being answered, WebSockets and streams included."}, []string{"listener"}),
		websockets: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "medforge_websockets_open",
			Help: "WebSockets to IDEs."}, []string{"listener"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "medforge_events_total",
			Help: "Events that were published, by type."}, []string{"type"}),
		scored: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "medforge_submissions_scored_total",
			Help: "Submissions that were scored, by outcome."}, []string{"outcome"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "medforge_build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "go": runtime.Version()}})
	build.Set(1)
	for _, outcome := range []string{"scored", "failed"} {
		m.scored.WithLabelValues(outcome) // there from the start, so that a rate has a zero to begin with
	}
	m.websockets.WithLabelValues("public")
	m.registry.MustRegister(m.requests, m.duration, m.inFlight, m.websockets, m.events, m.scored, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves them at whatever path it is asked.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: complaints{m.logger}, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, Timeout: 30 * time.Second,
	})
}

type complaints struct{ logger *slog.Logger }

func (c complaints) Println(v ...any) {
	for _, what := range v {
		if err, ok := what.(error); ok {
			c.logger.Warn("metrics are not whole", "error", err)
		}
	}
}

func (m *Metrics) request(listener string, a *answer, took time.Duration) {
	m.requests.WithLabelValues(listener, a.route, a.statusLabel()).Inc()
	if !a.hijacked {
		m.duration.WithLabelValues(a.route).Observe(took.Seconds())
	}
}

// Event counts an event. It is quick: the bus calls it while it is locked.
func (m *Metrics) Event(e event.Event) {
	m.events.WithLabelValues(string(e.Type)).Inc()
	if e.Type != event.Scored {
		return
	}
	outcome := "scored"
	if _, failed := e.Data["error"]; failed {
		outcome = "failed"
	}
	m.scored.WithLabelValues(outcome).Inc()
}
