package tui

import (
	"fmt"
	"time"

	"github.com/medforge/medforge/pkg/api"
)

const (
	aliceID = "a11ce000-0000-4000-8000-000000000002"
	rootID  = "00000000-0000-4000-8000-000000000001"
)

func alice() api.Me {
	return api.Me{UserID: aliceID, Email: "alice@example.org", Role: "user", Name: "Alice Öztürk", UnixName: "alice", Via: "socket"}
}

func root() api.Me {
	return api.Me{UserID: rootID, Role: "admin", Name: "root", UnixName: "root", Via: "socket"}
}

// empty is a host on which nothing has happened yet.
func empty() *fake {
	return &fake{me: alice(), health: api.Health{Status: api.HealthOK}, events: make(chan api.Event)}
}

func ago(d time.Duration) time.Time { return noon.Add(-d) }

func ptr[T any](v T) *T { return &v }

// full is a busy host.
func full() *fake {
	f := empty()
	f.usage = api.SessionUsage{UsedBytes: 61 << 30, QuotaBytes: 100 << 30}
	f.host = api.Host{CPUs: 192, CPUPercent: ptr(37.0), MemoryTotalBytes: ptr(int64(2048 << 30)), MemoryUsedBytes: ptr(int64(731 << 30)),
		PoolTotalBytes: ptr(int64(60 << 40)), PoolUsedBytes: ptr(int64(51 << 40)), SlotsTotal: 7, SlotsFree: 3}
	slugs := []string{"k3v7q2xa", "m5t2wq7z", "p4r6ys3b", "", "c7d2ef5g", "", ""}
	for i := range 7 {
		g := api.GPU{Index: i, UUID: gpuID(i), Name: "NVIDIA H200", Status: api.GPUFree, MemoryTotalBytes: 141 << 30,
			MemoryUsedBytes: int64(1+i*17) << 30, UtilisationPercent: (i * 31) % 101, TemperatureC: 34 + 6*i, PowerMilliwatts: 90_000 + 85_000*i}
		if slugs[i] != "" {
			g.Status, g.Session = api.GPUInUse, &slugs[i]
		}
		f.gpus = append(f.gpus, g)
	}
	f.gpus[3].Status, f.gpus[3].Reason = api.GPUQuarantined, "Xid 79: the GPU has fallen off the bus"
	f.gpus[5].Status = api.GPUDisabled
	add := func(slug, user string, st api.SessionStatus, gpu int, old time.Duration, edit func(*api.Session)) {
		s := api.Session{ID: "id-" + slug, Slug: slug, UserID: user, Status: st, GPUID: gpu, GPUUUID: gpuID(gpu), Tier: "public", PackID: "default",
			PackDigest: "sha256:9f86d081884c7d659a2feaa0c55ad015", CreatedAt: ago(old), URL: "https://s-" + slug + ".medforge.example.org/",
			WorkspaceZFS: "tank/medforge/workspaces/" + slug}
		if st != api.SessionStarting {
			s.StartedAt = ptr(s.CreatedAt.Add(1840 * time.Millisecond))
		}
		if st.Terminal() {
			s.StoppedAt = ptr(s.CreatedAt.Add(90 * time.Minute))
		}
		if edit != nil {
			edit(&s)
		}
		f.sessions = append(f.sessions, s)
	}
	add("c7d2ef5g", aliceID, api.SessionStarting, 4, 2*time.Second, nil)
	add("k3v7q2xa", aliceID, api.SessionRunning, 0, 3*time.Hour+12*time.Minute, nil)
	add("m5t2wq7z", rootID, api.SessionRunning, 1, 50*time.Hour, nil)
	add("p4r6ys3b", aliceID, api.SessionStopping, 2, 40*time.Minute, nil)
	add("zz4k2mmq", aliceID, api.SessionStopped, 2, 26*time.Hour, nil)
	add("h6j3nn2r", aliceID, api.SessionError, 6, 75*time.Hour, func(s *api.Session) {
		s.ErrorMessage = "The snapshot at the stop failed: the pool is full. Free space, then: medforge session stop h6j3nn2r"
	})
	f.logs = map[string]string{"id-k3v7q2xa": "[12:00:01] info  code-server 4.139.1\n[12:00:01] info  Using user-data-dir /workspace/.medforge\n" +
		"[12:00:02] info  Session server listening on /run/medforge/ide.sock\nepoch 1  loss 0.9312\repoch 2  loss 0.7420\n"}
	f.snaps = map[string][]api.Snapshot{"id-zz4k2mmq": {{Name: "stop-1764000000000", CreatedAt: ago(60 * time.Hour), UsedBytes: ptr(int64(3 << 28))},
		{Name: "stop-1764100000000", CreatedAt: ago(24 * time.Hour)}}}
	f.packs = []api.Pack{{ID: "default", Digest: "sha256:9f86d081884c7d659a2feaa0c55ad015", SizeBytes: 934 << 20, ImportedAt: ago(200 * time.Hour), InUse: true},
		{ID: "default", Digest: "sha256:60303ae22b998861bce3b28f33eec1be", SizeBytes: 912 << 20, ImportedAt: ago(900 * time.Hour)}}
	f.checks = []api.Check{{Name: "containerd", Status: api.CheckOK, Detail: "containerd 2.1.4 answers"},
		{Name: "zfs pool", Status: api.CheckWarn, Detail: "tank is 83 % full", Fix: "zfs list -o space -r tank"},
		{Name: "GPUs", Status: api.CheckFail, Detail: "GPU 3 has fallen off the bus", Fix: "nvidia-smi -r -i 3"}}
	f.users = []api.User{{UserID: rootID, UnixName: "root", Name: "root", Role: "admin", CreatedAt: ago(9000 * time.Hour)},
		{UserID: aliceID, UnixName: "alice", Email: "alice@example.org", Name: "Alice Öztürk", Role: "user", SessionLimit: 2, CreatedAt: ago(800 * time.Hour)},
		{UserID: "3", Email: "mallory@example.org", Name: "Mal\x1b[2Jlory 🧪", Role: "user", Disabled: true, CreatedAt: ago(300 * time.Hour)}}
	f.waiting = 3
	f.orphans = []api.Orphan{{Kind: "container", Name: "mf-session-aaaaaaaa", Why: "no session has it", Removed: true}}
	f.compete()
	return f
}

// compete adds competitions, a board and submissions.
func (f *fake) compete() {
	comp := func(slug, title, metric string, higher bool, cap int) {
		f.competitions = append(f.competitions, api.CompetitionDetail{
			Competition: api.Competition{Slug: slug, Title: title, CompetitionTier: "public", Metric: metric, MetricVersion: "1", HigherIsBetter: higher,
				ScoringMode: "single_realtime_hidden", LeaderboardRule: "best_per_user", IsPermanent: true, SubmissionCapPerDay: cap},
			Description: "# " + title + "\n\nPredict **what is hidden**. A submission gives one row an id.\n\n- `id` names the case\n- the second column is your answer\n\n" +
				"| split | rows |\n|---|---|\n| train | 891 |\n| test | 418 |\n", Status: "active", DatasetSlug: slug + "-data", DatasetTitle: title + " data",
			EvaluationSplitVersion: "v1", Columns: []string{"id", "answer"}, Rows: 418, AttemptCapPerDay: 50, License: "CC BY 4.0", Source: "https://example.org/data", Revision: 2,
		})
	}
	comp("cifar-100-classification", "CIFAR-100 image classification", "accuracy", true, 20)
	comp("rsna-pneumonia-detection", "RSNA pneumonia detection", "mean_average_precision_iou", true, 10)
	comp("titanic-survival", "Titanic: who survives", "accuracy", true, 5)
	names := []string{"Grace", "Zoë 李雷", "Team 🧪 Blue", "Alice Öztürk", "Bob \x1b[31mred\x1b[2J", "Noor", "a very long name that does not fit into any column at all, ever", "Kai"}
	f.board = map[string][]api.LeaderboardEntry{}
	for i := range 60 {
		id := fmt.Sprintf("user-%d", i)
		if i == 33 {
			id = aliceID
		}
		f.board["cifar-100-classification"] = append(f.board["cifar-100-classification"], api.LeaderboardEntry{Rank: i + 1, UserID: id, Name: names[i%len(names)],
			PrimaryScore: 0.98 - float64(i)*0.0113, BestSubmissionID: fmt.Sprint("s", i), EvaluationSplitVersion: "v1", MetricVersion: "1", ScoredAt: ago(time.Duration(i) * 7 * time.Hour)})
	}
	f.board["cifar-100-classification"][33].Name = "Alice Öztürk"
	for i, v := range []float64{0.41, 0.52, 0.555, 0.59, 0.6, 0.6071} {
		f.past = append(f.past, api.ScorePoint{ScoredAt: ago(time.Duration(100-i*i*3) * time.Hour), PrimaryScore: v})
	}
	for i := range 9 {
		s := api.Submission{ID: fmt.Sprintf("5ub00000-0000-4000-8000-00000000000%d", i), CompetitionSlug: "cifar-100-classification", UserID: aliceID,
			Filename: fmt.Sprintf("predictions-%d.csv", 9-i), SizeBytes: 120_000 + int64(i), SHA256: "9f86d081884c7d659a2feaa0c55ad015", Message: "resnet, more epochs",
			CreatedAt: ago(time.Duration(i) * 9 * time.Hour), ScoreStatus: api.ScoreScored,
			OfficialScore: &api.OfficialScore{PrimaryScore: 0.6071 - float64(i*i)*0.006, ScoreComponents: map[string]float64{"top5": 0.88, "accuracy": 0.6071}, ScorerVersion: "3", MetricVersion: "1", EvaluationSplitVersion: "v1"}}
		f.submissions = append(f.submissions, s)
	}
	f.submissions[0].ScoreStatus, f.submissions[0].OfficialScore = api.ScoreScoring, nil
	f.submissions[3].ScoreStatus, f.submissions[3].OfficialScore, f.submissions[3].ScoreError = api.ScoreFailed, nil, "The scorer ended before its time."
}

// running lets the host run for a while, so that its charts have a past.
func (r *rig) running() {
	for i := range 40 {
		for g := range r.d.gpus {
			if r.d.gpus[g].Session != nil {
				r.d.gpus[g].UtilisationPercent = 50 + (i*(7+g)*13)%50
			}
		}
		r.at = r.at.Add(3 * time.Second)
		r.events(api.Event{Type: api.EventGPUSample, Time: r.at, Data: map[string]any{"gpus": r.d.gpus}})
	}
	r.at = noon
}
