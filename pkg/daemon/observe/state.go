package observe

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/medforge/medforge/pkg/session"
)

// scrapeTimeout is for all that one scrape asks of the daemon.
const scrapeTimeout = 5 * time.Second

// State is what the daemon is asked for at a scrape.
type State struct {
	// Sessions returns the active ones.
	Sessions func(ctx context.Context) ([]session.Session, error)
	// Sample returns the last reading of the GPUs, or a new one.
	Sample func(ctx context.Context) (session.Sample, error)
	// Queue is how many submissions wait or are being scored.
	Queue func(ctx context.Context) (int, error)
	// Degraded lists what is not well.
	Degraded func() []session.Degradation
	// NotAfter is when the listener's certificate expires; nil without TLS.
	NotAfter func() time.Time
}

// Watch adds the state to what Prometheus gets.
func (m *Metrics) Watch(s State) { m.registry.MustRegister(&collector{s, m}) }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("medforge_"+name, help, labels, nil)
}

var (
	descSessions = desc("sessions", "Active sessions, by state.", "state")
	descQueue    = desc("submissions_queued", "Submissions that wait or are being scored.")
	descDegraded = desc("degraded", "1 for each part of the host that is not well.", "part")
	descNotAfter = desc("tls_certificate_not_after_seconds", "When the served certificate expires, in Unix time.")
	descFailed   = desc("scrape_failed", "1 for what could not be asked for at this scrape.", "source")

	descGPU      = desc("gpu_info", "Always 1; the labels say which device it is.", "gpu", "uuid", "name")
	descStatus   = desc("gpu_status", "1 for the status that the device has.", "gpu", "status")
	descUsed     = desc("gpu_memory_used_bytes", "Memory in use.", "gpu")
	descTotal    = desc("gpu_memory_total_bytes", "Memory of the device.", "gpu")
	descBusy     = desc("gpu_utilisation_ratio", "Share of time in which the device computed, 0 to 1.", "gpu")
	descHeat     = desc("gpu_temperature_celsius", "Temperature.", "gpu")
	descPower    = desc("gpu_power_watts", "Power drawn.", "gpu")
	descProcs    = desc("gpu_processes", "Processes that hold memory of the device.", "gpu")
	descSession  = desc("gpu_session", "Always 1; the label says which session has the device.", "gpu", "session")
	descSampleAt = desc("gpu_sample_time_seconds", "When the devices were read, in Unix time.")

	gpuStatuses   = []session.GPUStatus{session.GPUFree, session.GPUInUse, session.GPUDisabled, session.GPUQuarantined, session.GPUFaulty}
	activeSession = []session.Status{session.Starting, session.Running, session.Stopping}
)

// collector is a prometheus.Collector that asks when it is asked.
type collector struct {
	s State
	m *Metrics
}

// Describe names nothing: an unchecked collector may leave things out.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect asks the daemon.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	c.try(out, "sessions", func() error { return c.sessions(ctx, out) })
	c.try(out, "gpus", func() error { return c.gpus(ctx, out) })
	c.try(out, "queue", func() error {
		n, err := c.s.Queue(ctx)
		if err == nil {
			out <- number(descQueue, float64(n))
		}
		return err
	})
	for _, d := range c.s.Degraded() {
		out <- number(descDegraded, 1, d.Part)
	}
	if c.s.NotAfter == nil {
		return
	}
	if at := c.s.NotAfter(); !at.IsZero() {
		out <- number(descNotAfter, float64(at.Unix()))
	}
}

// try says what could not be asked, instead of failing the whole scrape.
func (c *collector) try(out chan<- prometheus.Metric, source string, ask func() error) {
	failed := 0.0
	if err := ask(); err != nil {
		failed = 1
		c.m.logger.Warn("metrics lack a source", "source", source, "error", err)
	}
	out <- number(descFailed, failed, source)
}

func (c *collector) sessions(ctx context.Context, out chan<- prometheus.Metric) error {
	rows, err := c.s.Sessions(ctx)
	if err != nil {
		return err
	}
	count := map[session.Status]int{}
	for _, row := range rows {
		count[row.Status]++
	}
	for _, status := range activeSession {
		out <- number(descSessions, float64(count[status]), string(status))
	}
	return nil
}

func (c *collector) gpus(ctx context.Context, out chan<- prometheus.Metric) error {
	sample, err := c.s.Sample(ctx)
	if err != nil {
		return err
	}
	out <- number(descSampleAt, float64(sample.At.UnixMilli())/1000)
	for _, g := range sample.GPUs {
		gpu := strconv.Itoa(g.Index)
		out <- number(descGPU, 1, gpu, g.UUID, g.Name)
		if g.SessionSlug != "" {
			out <- number(descSession, 1, gpu, g.SessionSlug)
		}
		is, _ := g.Status()
		for _, status := range gpuStatuses {
			has := 0.0
			if status == is {
				has = 1
			}
			out <- number(descStatus, has, gpu, string(status))
		}
		if g.Fault != "" {
			continue // its readings say nothing
		}
		out <- number(descUsed, float64(g.MemoryUsedBytes), gpu)
		out <- number(descTotal, float64(g.MemoryTotalBytes), gpu)
		out <- number(descBusy, float64(g.UtilisationPct)/100, gpu)
		out <- number(descHeat, float64(g.TemperatureC), gpu)
		out <- number(descPower, float64(g.PowerMilliwatts)/1000, gpu)
		out <- number(descProcs, float64(len(g.Processes)), gpu)
	}
	return nil
}

func number(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}
