package pipeline

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"rollcall/pipeline/event"
	"rollcall/pipeline/fetch"
	"rollcall/pipeline/job"
	"rollcall/pipeline/merge"
	"rollcall/schema"
	"rollcall/schema/disk"
	"rollcall/sinks/manifest"
	"rollcall/sinks/parquet"
)

// seal merges the spool into tables, writes them as files, stores these in the sink and seals
// them. It refuses where more is missing than tolerated.
func (r *run) seal(ctx context.Context) (Result, error) {
	blocks := fetch.Blocks(r.Job)
	ledger, err := readLedger(ctx, r.spool, blocks)
	if err != nil {
		return Result{}, err
	}
	r.kept = ledger.asked - ledger.missing
	ledger.hide(r.veil, blocks)
	if !r.Job.Tolerate.Allows(ledger.missing, ledger.asked) {
		return Result{}, &NotSealedError{Date: r.date, Missing: ledger.missing, Asked: ledger.asked, Gaps: ledger.gaps}
	}
	r.phase(event.Merging, 0, 0)
	files, summary, err := r.writeTables(ctx)
	if err != nil {
		return Result{}, err
	}
	m, err := r.manifest(ctx, ledger, summary, files)
	if err != nil {
		return Result{}, err
	}
	if err := r.check(&m); err != nil {
		return Result{}, err
	}
	if r.Job.Sign != nil {
		if m, err = manifest.Sign(m, *r.Job.Sign); err != nil {
			return Result{}, err
		}
	}
	encoded, err := manifest.Encode(m)
	if err != nil {
		return Result{}, err
	}
	if err := r.store(ctx, files, encoded); err != nil {
		return Result{}, err
	}
	return Result{Date: r.date, Place: r.sink.String(), Code: m.ExitCode, Path: manifest.Path(r.date), Sum: manifest.Sum(encoded), Manifest: m, Gaps: ledger.gaps, URL: r.sink.URL}, nil
}

func (r *run) phase(p event.Phase, rows int64, files int) {
	_, size := r.spool.Size()
	r.Listen(event.Progress{At: r.Now(), Phase: p, SpoolSize: size, Merged: rows, Files: files, Left: -1})
}

// writeTables merges the spool into Parquet files in the night's folder. What an earlier run left
// there is thrown away: the same spool gives the same bytes.
func (r *run) writeTables(ctx context.Context) ([]parquet.File, merge.Summary, error) {
	parts := r.night.Parts()
	if err := disk.Or(r.Disk).RemoveAll(parts); err != nil {
		return nil, merge.Summary{}, err
	}
	if err := disk.Or(r.Disk).MkdirAll(parts, 0o700); err != nil {
		return nil, merge.Summary{}, err
	}
	t := newTables(parts, parquet.Options{Disk: r.Disk})
	summary, err := r.merge(ctx, t)
	if err == nil {
		err = t.sources.Write(r.vendorRows())
	}
	if err != nil {
		return nil, summary, errors.Join(err, t.abort())
	}
	files, err := t.close()
	return files, summary, err
}

// tables are the writers of the seven tables.
type tables struct {
	memberships   *parquet.Writer[schema.Membership]
	groups        *parquet.Writer[schema.Group]
	users         *parquet.Writer[schema.User]
	outcomes      *parquet.Writer[schema.KeyOutcome]
	discrepancies *parquet.Writer[schema.Discrepancy]
	changes       *parquet.Writer[schema.Change]
	sources       *parquet.Writer[schema.SourceFigures]
}

func newTables(dir string, o parquet.Options) *tables {
	t := schema.Tables()
	return &tables{
		memberships:   parquet.NewWriter[schema.Membership](dir, t[0], o),
		groups:        parquet.NewWriter[schema.Group](dir, t[1], o),
		users:         parquet.NewWriter[schema.User](dir, t[2], o),
		outcomes:      parquet.NewWriter[schema.KeyOutcome](dir, t[3], o),
		discrepancies: parquet.NewWriter[schema.Discrepancy](dir, t[4], o),
		changes:       parquet.NewWriter[schema.Change](dir, t[5], o),
		sources:       parquet.NewWriter[schema.SourceFigures](dir, t[6], o),
	}
}

type closer interface {
	Close() ([]parquet.File, error)
	Abort() error
}

func (t *tables) all() []closer {
	return []closer{t.memberships, t.groups, t.users, t.outcomes, t.discrepancies, t.changes, t.sources}
}

func (t *tables) close() ([]parquet.File, error) {
	var files []parquet.File
	for _, w := range t.all() {
		done, err := w.Close()
		if err != nil {
			return nil, errors.Join(err, t.abort())
		}
		files = append(files, done...)
	}
	return files, nil
}

func (t *tables) abort() error {
	var errs []error
	for _, w := range t.all() {
		errs = append(errs, w.Abort())
	}
	return errors.Join(errs...)
}

// path is where a file of this night lies in the sink.
func (r *run) path(f parquet.File) string {
	return f.Table + "/snapshot_date=" + r.date + "/" + f.Name
}

func (r *run) store(ctx context.Context, files []parquet.File, encoded []byte) (err error) {
	staging, err := r.stage(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			return
		}
		last, cancel := cleanup(ctx)
		defer cancel()
		if abort := staging.Abort(last); abort != nil {
			r.notice("what was stored of "+r.date+" could not be removed: "+abort.Error(), "the next run removes it")
		}
	}()
	for i, f := range files {
		r.phase(event.Storing, 0, i)
		if err := staging.Put(ctx, r.path(f), f.LocalPath, f.SHA256); err != nil {
			return err
		}
	}
	r.phase(event.Sealing, 0, len(files))
	if err := r.folder.Held(); err != nil {
		return err
	}
	if err := r.night.SetSealing(manifest.Sum(encoded)); err != nil {
		return err
	}
	return staging.Seal(ctx, manifest.Path(r.date), encoded)
}

func (r *run) manifest(ctx context.Context, l ledger, s merge.Summary, files []parquet.File) (manifest.Manifest, error) {
	fingerprint := job.Fingerprint(r.Job)
	m := manifest.Manifest{
		Date: r.date, Tool: r.Version,
		SealedAt: manifest.At(r.Now()), AskedFrom: moment(l.from), AskedUntil: moment(l.until),
		Configuration: hex.EncodeToString(fingerprint[:]),
		Outcomes:      map[string]map[string]int64{},
		Verdicts:      manifest.Verdicts{Groups: words(s.Groups), Users: words(s.Users)},
		Requests:      map[string]map[string]manifest.Figures{},
		RoleCounts:    map[string]int64{"owner": 0, "admin": 0, "member": 0, "unknown": 0},
		ReplacedTexts: s.Replaced, CutTexts: s.Cut, Roles: s.Roles, Ownership: manifest.Ownership{Judged: s.Judged, Ownerless: s.Ownerless, Empty: &s.Empty},
	}
	m.Backdated = manifest.Precedes(m.Date, m.AskedFrom)
	if err := r.place(ctx, &m); err != nil {
		return manifest.Manifest{}, err
	}
	for role, held := range s.Held {
		m.RoleCounts[cmp.Or(role.String(), "unknown")] = held
	}
	var err error
	if m.Lists, err = r.describeLists(ctx); err != nil {
		return manifest.Manifest{}, err
	}
	m.Columns = r.veil.Columns()
	r.compared.describe(&m, r.Job)
	for _, rows := range s.Discrepancies {
		m.Discrepancies += rows
	}
	for data, outcomes := range s.Outcomes {
		m.Outcomes[data] = words(outcomes)
	}
	for source, endpoints := range r.vendors.tallies() {
		m.Requests[source] = map[string]manifest.Figures{}
		for name, t := range endpoints {
			m.Requests[source][name] = t.figures(r.Job.Budget(source, name).PerSecond)
		}
	}
	for _, f := range files {
		m.Files = append(m.Files, manifest.File{
			Path: r.path(f), Table: f.Table, Size: f.Size, Rows: f.Rows, SHA256: hex.EncodeToString(f.SHA256[:]),
			MinKey: f.MinKey, MaxKey: f.MaxKey,
		})
	}
	r.acknowledge(&m)
	return m, nil
}

// words are counts by their names.
func words[Word ~string](counts map[Word]int64) map[string]int64 {
	named := map[string]int64{}
	for word, n := range counts {
		named[string(word)] = n
	}
	return named
}

func moment(micros int64) manifest.Time {
	if micros == 0 {
		return manifest.Time{}
	}
	return manifest.At(time.UnixMicro(micros))
}

// vendorRows are the rows of the sources table, in the order of its key.
func (r *run) vendorRows() []schema.SourceFigures {
	tallies := r.vendors.tallies()
	var rows []schema.SourceFigures
	for _, s := range r.Job.Sources {
		row := schema.SourceFigures{Source: s.Address, Type: s.Definition.Type, AppID: s.Config.Account().AppID, Endpoint: s.Config.Account().Endpoint}
		budgets := map[string]float64{}
		for name, b := range s.Budgets {
			budgets[name] = b.PerSecond
		}
		text, _ := json.Marshal(budgets) // a map of numbers can't fail
		row.Budgets = string(text)
		for name, t := range tallies[s.Address] {
			row.Requests += t.Requests
			row.Retries += t.Retries
			row.Throttles += t.Throttles
			row.Seconds = max(row.Seconds, t.Active.Seconds())
			if t.Active > 0 {
				// So many requests may arrive in so many seconds and the one that they overlap.
				row.BudgetShare = max(row.BudgetShare, float64(t.Requests)/(t.Active.Seconds()+1)/budgets[name])
			}
		}
		rows = append(rows, row)
	}
	return rows
}
