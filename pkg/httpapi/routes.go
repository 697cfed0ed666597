package httpapi

import (
	"net/http"
	"reflect"

	"github.com/medforge/medforge/pkg/api"
)

// Routes is the table: what there is, and who may call it.
func (s *Server) Routes() []Route {
	var all []Route
	for _, group := range [][]Route{s.hostRoutes(), s.accountRoutes(), s.userRoutes(), s.sessionRoutes(), s.gpuRoutes(), s.packRoutes()} {
		all = append(all, group...)
	}
	if s.SessionProxy.Check != nil {
		all = append(all, s.sessionProxyRoutes()...)
	}
	if s.Competitions != nil {
		all = append(append(all, s.competitionRoutes()...), s.datasetRoutes()...)
	}
	return all
}

// Tags group the routes in the OpenAPI document.
const (
	tagHost     = "host"
	tagAccounts = "accounts"
	tagSessions = "sessions"
	tagGPUs     = "gpus"
	tagPacks    = "packs"

	tagCompetitions = "competitions"
	tagDatasets     = "datasets"
)

func (s *Server) hostRoutes() []Route {
	return []Route{
		bare(Route{Method: http.MethodGet, Path: api.PathHealthz, Access: Everyone, InSession: true, Tag: tagHost,
			Summary: "Whether the host is well: 200, or 503 with what is not"},
			content{"application/json", reflect.TypeFor[api.Health]()}, s.healthz),
		bare(Route{Method: http.MethodGet, Path: api.PathOpenAPI, Access: Everyone, InSession: true, Tag: tagHost,
			Summary: "This document"},
			content{media: "application/openapi+json"}, s.openAPI).compressed(),
		bare(Route{Method: http.MethodGet, Path: api.Path("events"), Access: Everyone, InSession: true, Tag: tagHost,
			Summary: "What happens, live, as far as the caller may see it", Problems: []int{404, 409}},
			content{"text/event-stream", reflect.TypeFor[api.Event]()}, s.events),
		answer(Route{Method: http.MethodGet, Path: api.Path("host"), Access: SignedIn, InSession: true, Tag: tagHost,
			Summary: "The machine's readings: processors, memory, space, slots"}, s.host),
		answer(Route{Method: http.MethodGet, Path: api.Path("admin", "doctor"), Access: Admin, Tag: tagHost,
			Summary: "The host's prerequisites, as the daemon sees them"}, s.doctor),
		answer(Route{Method: http.MethodPost, Path: api.Path("admin", "reconcile"), Access: Admin, Tag: tagHost, Long: true,
			Summary: "Bring rows and reality together now"}, s.reconcile),
		bare(Route{Method: http.MethodGet, Path: api.Path("admin", "backup"), Access: Admin, Tag: tagHost,
			Summary: "The database and the data directory, of one moment, as a tar archive compressed by zstd", Problems: []int{501, 507}},
			content{media: "application/zstd"}, s.backup),
	}
}

func (s *Server) sessionRoutes() []Route {
	const one = api.Prefix + "/sessions/{ref}"
	return []Route{
		answer(Route{Method: http.MethodPost, Path: api.Path("sessions"), Access: SignedIn, Tag: tagSessions, Status: 201,
			Summary: "Start a session; it goes on in the background", Problems: []int{400, 404, 409, 413, 415, 501}}, s.startSession),
		list(Route{Method: http.MethodGet, Path: api.Path("sessions"), Access: SignedIn, InSession: true, Tag: tagSessions,
			Summary: "The caller's sessions, newest first"}, "sessions", s.listSessions),
		answer(Route{Method: http.MethodGet, Path: api.Path("sessions", "current"), Access: SignedIn, InSession: true, Tag: tagSessions,
			Summary: "The caller's newest active session"}, s.currentSession),
		answer(Route{Method: http.MethodGet, Path: one, Access: Owner, InSession: true, Tag: tagSessions,
			Summary: "One session, by id or slug"}, s.getSession),
		answer(Route{Method: http.MethodPost, Path: one + "/stop", Access: Owner, Tag: tagSessions, Status: 202,
			Summary: "Record that it is to stop; asking again is no error"}, s.stopSession),
		answer(Route{Method: http.MethodPost, Path: one + "/open", Access: Owner, Tag: tagSessions, Status: 201,
			Summary: "A link that opens its IDE once", Problems: []int{409}}, s.openSession),
		bare(Route{Method: http.MethodGet, Path: one + "/logs", Access: Owner, InSession: true, Tag: tagSessions,
			Summary: "What it printed, oldest kept line first"},
			content{media: "text/plain"}, s.logs),
		list(Route{Method: http.MethodGet, Path: one + "/snapshots", Access: Owner, InSession: true, Tag: tagSessions,
			Summary: "Its workspace's snapshots, oldest first"}, "snapshots", s.snapshots),
		answer(Route{Method: http.MethodGet, Path: one + "/usage", Access: Owner, InSession: true, Tag: tagSessions,
			Summary: "Its workspace's space"}, s.usage),
	}
}

func (s *Server) gpuRoutes() []Route {
	return []Route{
		list(Route{Method: http.MethodGet, Path: api.Path("gpus"), Access: SignedIn, InSession: true, Tag: tagGPUs,
			Summary: "The host's GPUs with their readings"}, "gpus", s.gpus),
		answer(Route{Method: http.MethodPost, Path: api.Prefix + "/admin/gpus/{ref}/enable", Access: Admin, Tag: tagGPUs,
			Summary: "Let a GPU, by index or UUID, take sessions again", Problems: []int{404}}, s.setGPU(true)),
		answer(Route{Method: http.MethodPost, Path: api.Prefix + "/admin/gpus/{ref}/disable", Access: Admin, Tag: tagGPUs,
			Summary: "Give a GPU to no new session", Problems: []int{404}}, s.setGPU(false)),
	}
}

func (s *Server) packRoutes() []Route {
	return []Route{
		list(Route{Method: http.MethodGet, Path: api.Path("admin", "packs"), Access: Admin, Tag: tagPacks,
			Summary: "The images that are imported"}, "packs", s.packs),
		answer(Route{Method: http.MethodPost, Path: api.Path("admin", "packs"), Access: Admin, Tag: tagPacks, Status: 201, Takes: "application/x-tar",
			Summary: "Import an OCI archive, which is the body"}, s.importPack),
		answer(Route{Method: http.MethodPost, Path: api.Path("admin", "packs", "use"), Access: Admin, Tag: tagPacks,
			Summary: "Choose the image that new sessions run", Problems: []int{400, 404, 413, 415}}, s.usePack),
	}
}

func (s *Server) competitionRoutes() []Route {
	const one = api.Prefix + "/competitions/{slug}"
	const admin = api.Prefix + "/admin/competitions"
	return []Route{
		list(Route{Method: http.MethodGet, Path: api.Path("competitions"), Access: Everyone, InSession: true, Tag: tagCompetitions,
			Summary: "The competitions"}, "competitions", s.listCompetitions),
		answer(Route{Method: http.MethodGet, Path: one, Access: Everyone, InSession: true, Tag: tagCompetitions,
			Summary: "One competition", Problems: []int{404}}, s.getCompetition),
		board(Route{Method: http.MethodGet, Path: one + "/leaderboard", Access: Everyone, InSession: true, Tag: tagCompetitions,
			Summary: "Its leaderboard, best first, and the caller's own place", Problems: []int{404}}, "leaderboard", s.leaderboard),
		list(Route{Method: http.MethodGet, Path: one + "/leaderboard/{user}/history", Access: Everyone, InSession: true, Tag: tagCompetitions,
			Summary: "How a user's place on the board came about: each best, oldest first", Problems: []int{404}}, "history", s.scoreHistory),
		answer(Route{Method: http.MethodGet, Path: api.Path("admin", "queue"), Access: Admin, Tag: tagCompetitions,
			Summary: "What waits for its score"}, s.scoringQueue),
		answer(Route{Method: http.MethodPost, Path: one + "/submissions", Access: SignedIn, InSession: true, Tag: tagCompetitions, Status: 201,
			Takes: "multipart/form-data", Summary: "Submit predictions: the parts file and message", Problems: []int{400, 404, 409, 415, 429}}, s.submit),
		list(Route{Method: http.MethodGet, Path: one + "/submissions/me", Access: SignedIn, InSession: true, Tag: tagCompetitions,
			Summary: "The caller's submissions, newest first", Problems: []int{404}}, "submissions", s.mySubmissions),
		list(Route{Method: http.MethodGet, Path: one + "/data", Access: SignedIn, InSession: true, Tag: tagCompetitions,
			Summary: "The files to work with; never the labels", Problems: []int{404}}, "data", s.dataFiles),
		bare(Route{Method: http.MethodGet, Path: one + "/data/archive", Access: SignedIn, InSession: true, Tag: tagCompetitions,
			Summary: "These files as one tar archive", Problems: []int{404}}, content{media: "application/x-tar"}, s.dataArchive),
		answer(Route{Method: http.MethodGet, Path: api.Prefix + "/submissions/{id}", Access: Owner, InSession: true, Tag: tagCompetitions,
			Summary: "One submission and its score"}, s.getSubmission),
		answer(Route{Method: http.MethodPost, Path: api.Prefix + "/admin/submissions/{id}/score", Access: Admin, Tag: tagCompetitions,
			Summary: "Score a submission again", Problems: []int{404}}, s.rescore),
		answer(Route{Method: http.MethodPost, Path: admin + "/{slug}/score", Access: Admin, Tag: tagCompetitions, Status: 202, Long: true,
			Summary: "Score all of a competition's submissions again", Problems: []int{404}}, s.rescoreAll),
		answer(Route{Method: http.MethodPost, Path: admin, Access: Admin, Tag: tagCompetitions, Status: 201, Takes: "application/x-tar",
			Summary: "Add a competition, or update it, from its bundle as a tar archive", Problems: []int{409, 507}}, s.addCompetition),
		answer(Route{Method: http.MethodPost, Path: admin + "/codabench", Access: Admin, Tag: tagCompetitions, Status: 201, Takes: "application/zip",
			Summary: "Convert and add a Codabench bundle", Problems: []int{409, 507}}, s.importCodabench),
	}
}

func (s *Server) datasetRoutes() []Route {
	const admin = api.Prefix + "/admin"
	return []Route{
		list(Route{Method: http.MethodGet, Path: api.Path("datasets"), Access: Everyone, InSession: true, Tag: tagDatasets,
			Summary: "The datasets"}, "datasets", s.datasets),
		answer(Route{Method: http.MethodGet, Path: api.Prefix + "/datasets/{slug}", Access: Everyone, InSession: true, Tag: tagDatasets,
			Summary: "One dataset", Problems: []int{404}}, s.dataset),
		answer(Route{Method: http.MethodGet, Path: admin + "/datasets/{slug}/import", Access: Admin, Tag: tagDatasets,
			Summary: "What the import of a dataset takes", Problems: []int{404}}, s.importForm),
		answer(Route{Method: http.MethodPost, Path: admin + "/datasets/{slug}/import", Access: Admin, Tag: tagDatasets, Long: true,
			Summary: "Have an upload become the dataset", Problems: []int{400, 404, 413, 415, 507}}, s.importDataset),
		answer(Route{Method: http.MethodGet, Path: admin + "/uploads/{sha256}", Access: Admin, Tag: tagDatasets,
			Summary: "How much of an upload is there"}, s.uploaded),
		answer(Route{Method: http.MethodPost, Path: admin + "/uploads/{sha256}", Access: Admin, Tag: tagDatasets, Takes: "application/octet-stream",
			Summary: "Add the next bytes to an upload", Problems: []int{409, 413, 507}}, s.upload),
	}
}
