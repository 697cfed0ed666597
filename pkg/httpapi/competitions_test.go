package httpapi_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

const titanic = "/api/v1/competitions/titanic-survival"

var (
	asAlice = []string{"Authorization", "Bearer alice"}
	asRoot  = []string{"Authorization", "Bearer root"}
)

// bundleFile reads a built-in bundle's file.
func bundleFile(t *testing.T, slug, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "competitions", slug, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// multi makes a form; each part is a name and a value, file's is the file.
func multi(t *testing.T, parts ...string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		var out io.Writer
		var err error
		if parts[i] == "file" {
			out, err = w.CreateFormFile("file", "predictions.csv")
		} else {
			out, err = w.CreateFormField(parts[i])
		}
		if err == nil {
			_, err = io.WriteString(out, parts[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

func submitAs(t *testing.T, h *httpapitest.Host, header []string, slug string, parts ...string) *http.Response {
	t.Helper()
	body, ctype := multi(t, parts...)
	return do(t, h.API.Public(), "POST", "/api/v1/competitions/"+slug+"/submissions", body, append([]string{"Content-Type", ctype}, header...)...)
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// announce submits, as Alice, a form that is said to have so many bytes.
func announce(t *testing.T, h *httpapitest.Host, length int64, ctype string, body io.Reader) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "POST", titanic+"/submissions", body)
	r.ContentLength, r.Host = length, "medforge"
	header := append([]string{"Content-Type", ctype}, asAlice...)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.API.Public().ServeHTTP(w, r)
	return w.Result()
}

// scored waits for a submission's score.
func scored(t *testing.T, h *httpapitest.Host, header []string, id string) (s api.Submission) {
	t.Helper()
	watch.Until(t, "a score", func() bool {
		s = data[api.Submission](t, do(t, h.API.Public(), "GET", "/api/v1/submissions/"+id, "", header...))
		return s.ScoreStatus == api.ScoreScored || s.ScoreStatus == api.ScoreFailed
	})
	return s
}

func tarOf(t *testing.T, slug string) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range []string{"competition.yaml", "description.md", "holdout.csv", "sample_submission.csv"} {
		raw := bundleFile(t, slug, name)
		err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(raw)), Mode: 0o644})
		if err == nil {
			_, err = io.WriteString(w, raw)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func codabenchZip(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range map[string]string{
		"competition.yaml": "title: From Codabench\ndescription: x\nphases:\n- name: one\n  tasks: [0]\ntasks:\n- index: 0\n  name: t\n  reference_data: ref.csv\n  scoring_program: s.zip\n" +
			"leaderboards:\n- title: R\n  columns:\n  - {title: A, key: accuracy, index: 0, sorting: desc}\n",
		"ref.csv": "id,label\na,cat\nb,dog\n",
	} {
		f, err := w.Create(name)
		if err == nil {
			_, err = io.WriteString(f, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// contest fills in what the matrix's routes on competitions need: a submission
// of Alice's, and bodies.
func contest(t *testing.T, h *httpapitest.Host, name, path string, header []string) (string, string, []string) {
	t.Helper()
	body, ctype := "", ""
	if strings.Contains(path, "{id}") {
		r := data[api.SubmissionCreated](t, submitAs(t, h, asAlice, "titanic-survival", "file", bundleFile(t, "titanic-survival", "sample_submission.csv")))
		scored(t, h, asAlice, r.Submission.ID)
		path = strings.ReplaceAll(path, "{id}", r.Submission.ID)
	}
	slug := "titanic-survival"
	if strings.Contains(path, "datasets") {
		slug = "cifar-100"
	}
	path = strings.NewReplacer("{slug}", slug, "{user}", "nobody", "{sha256}", strings.Repeat("a", 64)).Replace(path)
	switch {
	case strings.HasPrefix(name, "GET"):
	case strings.HasSuffix(name, "/submissions"):
		body, ctype = multi(t, "file", bundleFile(t, "titanic-survival", "sample_submission.csv"))
	case strings.HasSuffix(name, "admin/competitions"):
		body, ctype = tarOf(t, "rsna-pneumonia-detection"), "application/x-tar"
	case strings.HasSuffix(name, "codabench"):
		body, ctype = codabenchZip(t), "application/zip"
	case strings.HasSuffix(name, "/import"):
		body, ctype = `{"sha256":"`+strings.Repeat("b", 64)+`"}`, "application/json"
	case strings.Contains(name, "uploads"):
		path, body, ctype = path+"?offset=0", "bytes", "application/octet-stream"
	}
	if ctype != "" {
		header = append([]string{"Content-Type", ctype}, header...)
	}
	return path, body, header
}

func TestASubmissionsWay(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{Competitions: true})
	sample := bundleFile(t, "titanic-survival", "sample_submission.csv")
	for i, parts := range [][]string{{"message", "nobody", "file", sample}, {"file", sample, "message", "nobody"}} {
		resp := submitAs(t, h, asAlice, "titanic-survival", parts...)
		if resp.StatusCode != 201 {
			t.Fatalf("%d: %s", resp.StatusCode, read(t, resp))
		}
		r := data[api.SubmissionCreated](t, resp)
		sum := sha256.Sum256([]byte(sample))
		if r.DailyCap != 20 || r.RemainingToday != 19-i || r.Submission.Message != "nobody" || r.Submission.Filename != "predictions.csv" ||
			r.Submission.SHA256 != hex.EncodeToString(sum[:]) || r.ResetsAt.Before(time.Now()) || r.Submission.SessionID != nil {
			t.Errorf("%+v", r)
		}
		s := scored(t, h, asAlice, r.Submission.ID)
		if s.OfficialScore == nil || s.OfficialScore.PrimaryScore != 0.62201 || s.OfficialScore.EvaluationSplitVersion != "titanic-v1" || len(s.OfficialScore.ManifestSHA256) != 64 {
			t.Errorf("%+v", s.OfficialScore)
		}
	}
	var page api.LeaderboardPage
	raw := read(t, do(t, h.API.Public(), "GET", titanic+"/leaderboard", "", asAlice...))
	if err := json.Unmarshal(raw, &page); err != nil {
		t.Fatal(err)
	}
	if b := page.Data; b.CompetitionSlug != "titanic-survival" || len(b.Entries) != 1 || b.Entries[0].Rank != 1 || b.Entries[0].Name != "Alice" || b.Me == nil ||
		b.Total != 1 || b.EvaluationSplitVersion != "titanic-v1" || page.Meta.HasMore || page.Meta.RequestID == "" {
		t.Errorf("%s", raw)
	}
	if strings.Contains(string(raw), "@") {
		t.Errorf("an email address is shown: %s", raw)
	}
	if raw := read(t, do(t, h.API.Public(), "GET", titanic+"/leaderboard", "")); !strings.Contains(string(raw), `"me":null`) {
		t.Errorf("nobody's place: %s", raw)
	}
	var mine api.Page[api.Submission]
	if err := json.Unmarshal(read(t, do(t, h.API.Public(), "GET", titanic+"/submissions/me?limit=1", "", asAlice...)), &mine); err != nil || len(mine.Data) != 1 || !mine.Meta.HasMore {
		t.Errorf("%+v %v", mine, err)
	}
	if d := data[api.CompetitionDetail](t, do(t, h.API.Public(), "GET", titanic, "")); d.Rows != 418 || d.SubmissionCapPerDay != 20 || d.Status != "open" ||
		d.DatasetSlug != "titanic-kaggle" || d.DatasetTitle == "" || strings.Join(d.Columns, ",") != "PassengerId,Survived" {
		t.Errorf("%+v", d)
	}
}

func TestBadSubmissions(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{Competitions: true})
	sample := bundleFile(t, "titanic-survival", "sample_submission.csv")
	p := wantProblem(t, submitAs(t, h, asAlice, "titanic-survival", "file", strings.Replace(sample, "893,0", "893,x", 1)+"1,1\n"), 422, "competitions/submission-validation-failed")
	if len(p.Errors) != 2 || p.Errors[0].Loc != "row 3, column Survived" || p.Errors[0].Type != "not_a_number" || p.Errors[0].Ctx["row"] != 3.0 {
		t.Errorf("%+v", p.Errors)
	}
	wantProblem(t, submitAs(t, h, asAlice, "nowhere", "file", sample), 404, "competitions/competition-not-found")
	wantProblem(t, submitAs(t, h, asAlice, "titanic-survival", "file", sample+strings.Repeat("x", 2<<20)), 422, "competitions/submission-too-large")
	head, form := multi(t, "file", "")
	wantProblem(t, announce(t, h, 200<<20, form, iotest.ErrReader(errors.New("the body was read"))), 422, "competitions/submission-too-large")
	// Of unknown length: what comes after the refusal is read, or its sender
	// could find the connection broken before it reads the answer.
	rest := &io.LimitedReader{R: zeros{}, N: 100 << 20}
	wantProblem(t, announce(t, h, -1, form, io.MultiReader(strings.NewReader(head[:strings.LastIndex(head, "\r\n--")]), rest)), 422, "competitions/submission-too-large")
	if rest.N != 0 {
		t.Errorf("%d bytes were left unread", rest.N)
	}
	wantProblem(t, submitAs(t, h, asAlice, "titanic-survival", "file", sample, "message", strings.Repeat("m", 501)), 422, "competitions/invalid-message")
	wantProblem(t, submitAs(t, h, asAlice, "titanic-survival", "message", "x"), 422, api.CodeInvalidRequest)
	wantProblem(t, submitAs(t, h, asAlice, "titanic-survival", "fiel", "x"), 422, api.CodeInvalidRequest)
	wantProblem(t, do(t, h.API.Public(), "POST", titanic+"/submissions", "{}", asAlice...), 415, api.CodeUnsupportedMedia)
	body, ctype := multi(t, "file", sample)
	wantProblem(t, do(t, h.API.Public(), "POST", titanic+"/submissions", body[:len(body)/2], append([]string{"Content-Type", ctype}, asAlice...)...), 422, "competitions/upload-broke-off")
	for _, path := range []string{"/leaderboard?limit=0", "/submissions/me?limit=501"} {
		wantProblem(t, do(t, h.API.Public(), "GET", titanic+path, "", asAlice...), 400, api.CodeInvalidLimit)
	}
	wantProblem(t, do(t, h.API.Public(), "GET", titanic+"/leaderboard?cursor=!", ""), 400, api.CodeInvalidCursor)
	wantProblem(t, do(t, h.API.Public(), "GET", "/api/v1/competitions/nowhere/leaderboard", ""), 404, "competitions/competition-not-found")
	wantProblem(t, do(t, h.API.Public(), "GET", "/api/v1/submissions/nowhere", "", asAlice...), 404, "competitions/submission-not-found")
	wantProblem(t, do(t, h.API.Public(), "GET", "/api/v1/datasets/nowhere", ""), 404, "datasets/not-found")
	for i := range 20 {
		r := data[api.SubmissionCreated](t, submitAs(t, h, asRoot, "titanic-survival", "file", sample))
		if r.RemainingToday != 19-i {
			t.Errorf("%d left", r.RemainingToday)
		}
	}
	resp := submitAs(t, h, asRoot, "titanic-survival", "file", sample)
	p = wantProblem(t, resp, 429, "competitions/submission-cap-reached")
	if resp.Header.Get("Retry-After") == "" || !strings.Contains(p.Detail, "T00:00:00Z") {
		t.Errorf("when does it reset? %v %s", resp.Header, p.Detail)
	}
}

// TestNoAnswerHoldsALabel sends what is meant to make the labels come out, and
// looks through every answer for them.
func TestNoAnswerHoldsALabel(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{Competitions: true})
	const secret = "s3cr3t"
	bundle := map[string]string{
		"competition.yaml": "slug: hidden\ntitle: Hidden\nmetric: accuracy\ndirection: maximize\nid_column: id\ntargets:\n- {name: label, type: category, classes: [a, b]}\n" +
			"daily_cap: 100\nevaluation_split_version: v1\n",
		"description.md": "x", "sample_submission.csv": "id,label\n" + secret + "1,a\n" + secret + "2,a\n",
		// The ids are known to those who have the sample; the order and the
		// labels are not.
		"holdout.csv": "id,label\n" + secret + "2,b\n" + secret + "1,a\n",
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range bundle {
		if err := errors.Join(w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text))}), func() error { _, err := io.WriteString(w, text); return err }()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if resp := do(t, h.API.Public(), "POST", "/api/v1/admin/competitions", b.String(), append([]string{"Content-Type", "application/x-tar"}, asRoot...)...); resp.StatusCode != 201 {
		t.Fatalf("%d %s", resp.StatusCode, read(t, resp))
	}
	for _, file := range []string{"", "id,label\n", "id,label\nx,a\n", "id\nx\n", "label,id\na,\n", "id,label\n\"x,a\n", "id,label\nx,c\nx,a\n", "id,label\n" + strings.Repeat("x,a\n", 5000), "\xff\xfe"} {
		resp := submitAs(t, h, asAlice, "hidden", "file", file, "message", "x")
		raw := string(read(t, resp))
		if resp.StatusCode != 422 || strings.Contains(raw, secret) {
			t.Errorf("%q: %d %s", file, resp.StatusCode, raw)
		}
	}
	for _, path := range []string{"", "/leaderboard", "/data", "/data/archive", "/submissions/me", "/../../holdout.csv", "/data/archive?file=holdout.csv", "/data/holdout.csv"} {
		raw := string(read(t, do(t, h.API.Public(), "GET", "/api/v1/competitions/hidden"+path, "", asAlice...)))
		if strings.Contains(raw, secret+"2,b") || strings.Contains(raw, "holdout") && !strings.Contains(path, "holdout") {
			t.Errorf("%s: %s", path, raw)
		}
	}
}

func TestDataOfACompetition(t *testing.T) {
	t.Parallel()
	h := start(t, httpapitest.Options{Competitions: true})
	resp := do(t, h.API.Public(), "GET", "/api/v1/competitions/cifar-100-classification/data/archive", "", asAlice...)
	tr, names := tar.NewReader(resp.Body), ""
	for {
		hd, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names += fmt.Sprintf("%s %d\n", hd.Name, hd.Size)
	}
	want := ""
	for _, name := range []string{"sample_submission.csv", "data/test.csv", "data/train.csv"} {
		want += fmt.Sprintf("%s %d\n", name, len(bundleFile(t, "cifar-100-classification", name)))
	}
	if names != want {
		t.Errorf("got\n%swant\n%s", names, want)
	}
}
