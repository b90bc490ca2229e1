package data

import "fmt"

// seedLedger gives workloads to every key that was used, and storage and tool calls
// to projects that are not archived. It returns the builder, for what is added later.
func (s *seeder) seedLedger() *ledgerBuilder {
	b := &ledgerBuilder{seeder: s, ledger: &Ledger{}, lineAt: make(map[string]int)}
	// The share of the list price that the organization pays, in billionths.
	b.discount = 850_000_001 + s.random.Int64N(99_999_998)
	for _, p := range s.Projects.All() {
		if p.ArchivedAt != nil {
			b.archived(p)
			continue
		}
		for _, k := range p.Keys.All() {
			b.key(p, k)
		}
		b.shared(p)
	}
	s.Ledger = b.ledger
	return b
}

type ledgerBuilder struct {
	*seeder
	ledger   *Ledger
	discount int64
	lineAt   map[string]int
	begun    bool // a key has its workloads
	sharing  bool // a project has
}

// line returns the index of a position of the price list. The price is in
// billionths of a dollar before the discount. A price of zero has no position.
func (b *ledgerBuilder) line(name, unit string, price int64) int {
	if price == 0 {
		return noLine
	}
	at, known := b.lineAt[name]
	if !known {
		at = len(b.ledger.lines)
		b.lineAt[name] = at
		b.ledger.lines = append(b.ledger.lines, lineItem{name, unit, price * b.discount})
	}
	return at
}

// add adds a workload that starts at an instant. Rate is in thousandths of a
// request per busy hour.
func (b *ledgerBuilder) add(kind string, start int64, rate int64, steady bool, dims map[Dimension]string) *workload {
	w := workload{kind: kind, from: start / 3600, rate: rate, steady: steady, hash: b.random.Uint64()}
	for d, v := range dims {
		w.dims[d] = v
	}
	w.dims[ByAPISource] = "unlabeled"
	if byAgents := kind == "completions" || kind == "decisions" || kind == "web_search_calls"; byAgents && w.hash%6 == 0 {
		w.dims[ByAPISource] = "agents_api"
	}
	for i := range w.lines {
		w.lines[i] = noLine
	}
	b.ledger.workloads = append(b.ledger.workloads, w)
	return &b.ledger.workloads[len(b.ledger.workloads)-1]
}

func (b *ledgerBuilder) family(name string) []model {
	var out []model
	for _, m := range models {
		if m.family == name {
			out = append(out, m)
		}
	}
	return out
}

// archived gives an archived project usage until it was archived.
func (b *ledgerBuilder) archived(p *Project) {
	user := pick(b.seeder, b.Users.All())
	w := b.completions(p, &ProjectKey{ID: b.NewID("key_"), CreatedAt: p.CreatedAt, UserID: user.ID}, pick(b.seeder, b.family("text")))
	w.until = *p.ArchivedAt / 3600
}

func owned(p *Project, k *ProjectKey, m model) map[Dimension]string {
	return map[Dimension]string{ByProject: p.ID, ByUser: k.UserID, ByKey: k.ID, ByModel: m.name}
}

// key adds the workloads of a key that was used. The first key gets all kinds, so
// that the smallest organization has usage of every kind.
func (b *ledgerBuilder) key(p *Project, k *ProjectKey) {
	if k.LastUsedAt == nil {
		return
	}
	first := !b.begun
	b.begun = true
	likely := func(percent int) bool { return b.chance(percent) || first }
	for _, m := range sample(b.seeder, b.family("text"), 1+b.random.IntN(2)) {
		b.completions(p, k, m)
	}
	if likely(35) {
		m := pick(b.seeder, b.family("embedding"))
		w := b.add("embeddings", k.CreatedAt, 2000+b.random.Int64N(200_000), k.AccountID != "", owned(p, k, m))
		w.perRequest[amount] = 1000 * (50 + b.random.Int64N(2000))
		w.lines[amount] = b.line(m.name+", input", "tokens", m.input)
	}
	if likely(15) {
		m := pick(b.seeder, b.family("moderation"))
		w := b.add("moderations", k.CreatedAt, 5000+b.random.Int64N(90_000), true, owned(p, k, m))
		w.perRequest[amount] = 1000 * (20 + b.random.Int64N(200))
	}
	if likely(15) {
		m := pick(b.seeder, b.family("image"))
		dims := owned(p, k, m)
		dims[BySize], dims[BySource] = pick(b.seeder, BySize.Values()), pick(b.seeder, BySource.Values())
		w := b.add("images", k.CreatedAt, 200+b.random.Int64N(8000), false, dims)
		w.perRequest[amount] = 1000 * (1 + b.random.Int64N(3))
		w.lines[amount] = b.line(m.name, "images", m.output)
	}
	for _, m := range b.family("audio") {
		if likely(6) {
			b.audio(p, k, m)
		}
	}
	if likely(20) {
		m := pick(b.seeder, b.family("text"))
		dims := owned(p, k, m)
		dims[ByContext] = pick(b.seeder, ByContext.Values())
		w := b.add("web_search_calls", k.CreatedAt, 500+b.random.Int64N(9000), false, dims)
		w.perRequest[amount] = 1000 + b.random.Int64N(1000)
		w.lines[amount] = b.line("Web search calls, "+dims[ByContext], "", 10_000_000)
	}
	if likely(20) {
		w := b.add("file_search_calls", k.CreatedAt, 500+b.random.Int64N(9000), k.AccountID != "", map[Dimension]string{
			ByProject: p.ID, ByUser: k.UserID, ByKey: k.ID, ByStore: b.NewID("vs_"),
		})
		w.lines[requests] = b.line("File search calls", "", 2_500_000)
	}
}

func (b *ledgerBuilder) audio(p *Project, k *ProjectKey, m model) {
	if m.output != 0 {
		w := b.add("audio_speeches", k.CreatedAt, 300+b.random.Int64N(9000), false, owned(p, k, m))
		w.perRequest[amount] = 1000 * (100 + b.random.Int64N(900))
		w.lines[amount] = b.line(m.name, "characters", m.output)
		return
	}
	w := b.add("audio_transcriptions", k.CreatedAt, 300+b.random.Int64N(9000), k.AccountID != "", owned(p, k, m))
	w.perRequest[amount] = 1000 * (10 + b.random.Int64N(300))
	w.lines[amount] = b.line(m.name, "duration_seconds", m.input)
}

func (b *ledgerBuilder) completions(p *Project, k *ProjectKey, m model) *workload {
	return b.text("completions", p, k, m)
}

// text adds a workload of text. Some keys send images or audio too, some run in
// batches at half the price, and some write to the cache for 12 hours.
func (b *ledgerBuilder) text(kind string, p *Project, k *ProjectKey, m model) *workload {
	dims := owned(p, k, m)
	dims[ByBatch], dims[ByTier] = "false", "default"
	machine := k.AccountID != ""
	rate := 500 + b.random.Int64N(20_000)
	price, suffix := int64(2), ""
	switch {
	case machine && b.chance(30):
		dims[ByBatch], price, suffix = "true", 1, " batch"
		rate *= 6
	case machine:
		rate *= 8
	case b.chance(20):
		dims[ByTier] = pick(b.seeder, ByTier.Values())
	}
	w := b.add(kind, k.CreatedAt, rate, machine, dims)
	input := 1000 * (300 + b.random.Int64N(3000))
	w.perRequest[inputText] = input
	w.perRequest[inputCachedText] = input * b.random.Int64N(80) / 100
	write := inputCacheWrite
	if w.hash%4 == 1 {
		write = inputLongCacheWrite
	}
	w.perRequest[write] = input * b.random.Int64N(20) / 100
	w.perRequest[outputText] = 1000 * (100 + b.random.Int64N(900))
	if b.chance(20) {
		w.perRequest[inputImage] = 1000 * b.random.Int64N(800)
		w.perRequest[inputCachedImage] = w.perRequest[inputImage] / 4
		w.perRequest[outputImage] = 1000 * b.random.Int64N(50)
	}
	if b.chance(15) {
		w.perRequest[inputAudio] = 1000 * b.random.Int64N(400)
		w.perRequest[inputCachedAudio] = w.perRequest[inputAudio] / 5
		w.perRequest[outputAudio] = 1000 * b.random.Int64N(300)
	}
	name := m.name + suffix
	fresh := b.line(name+", input", "tokens", m.input*price/2)
	cached := b.line(name+", cached input", "tokens", m.cached*price/2)
	output := b.line(name+", output", "tokens", m.output*price/2)
	for _, part := range []int{inputText, inputAudio, inputImage, inputCacheWrite, inputLongCacheWrite} {
		w.lines[part] = fresh
	}
	for _, part := range []int{inputCachedText, inputCachedAudio, inputCachedImage} {
		w.lines[part] = cached
	}
	for _, part := range []int{outputText, outputAudio, outputImage} {
		w.lines[part] = output
	}
	return w
}

// shared adds the usage that belongs to a project and to no key.
func (b *ledgerBuilder) shared(p *Project) {
	first := !b.sharing
	b.sharing = true
	if b.chance(60) || first {
		w := b.add("vector_stores", p.CreatedAt, 4000+b.random.Int64N(20_000), true, map[Dimension]string{ByProject: p.ID})
		w.perRequest[amount] = 1000 * (1_000_000 + b.random.Int64N(40_000_000))
		// 4e-12 dollars a byte are too little for the unit of line.
		const name = "Vector store storage"
		if _, known := b.lineAt[name]; !known {
			b.lineAt[name] = len(b.ledger.lines)
			b.ledger.lines = append(b.ledger.lines, lineItem{name, "", 4_000_000})
		}
		w.lines[amount] = b.lineAt[name]
	}
	if b.chance(40) || first {
		w := b.add("code_interpreter_sessions", p.CreatedAt, 500+b.random.Int64N(8000), false, map[Dimension]string{ByProject: p.ID})
		w.lines[requests] = b.line("Code interpreter sessions", "", 30_000_000)
	}
}

// String makes a workload readable in the output of a test.
func (w *workload) String() string {
	return fmt.Sprintf("%s of %v from hour %d", w.kind, w.dims, w.from)
}
