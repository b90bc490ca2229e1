package data

var firstNames = []string{
	"Aisha", "Alejandro", "Amara", "Anders", "Anika", "Beatriz", "Bogdan", "Camille", "Chidi", "Chiara",
	"Daniel", "Dilnoza", "Elif", "Emil", "Esther", "Farid", "Fatou", "Gabriela", "Hana", "Henrik",
	"Ines", "Isabel", "Jakub", "Jasmin", "Jiho", "Kaito", "Katarina", "Kwame", "Lars", "Leila",
	"Linh", "Lucia", "Mateo", "Mei", "Miriam", "Nadia", "Nikhil", "Oluwaseun", "Orla", "Paulo",
	"Priya", "Quentin", "Rania", "Ravi", "Rosa", "Samir", "Sofia", "Tariq", "Tomás", "Yara",
}

var lastNames = []string{
	"Abebe", "Almeida", "Andersson", "Banerjee", "Bauer", "Bianchi", "Chen", "Costa", "Demir", "Dubois",
	"Eriksen", "Fernández", "Fischer", "Garcia", "Haddad", "Horváth", "Ivanov", "Jansen", "Kaya", "Kim",
	"Kowalski", "Larsen", "Lindqvist", "Lopez", "Marino", "Mensah", "Moreau", "Murphy", "Nakamura", "Nguyen",
	"Novak", "Okafor", "Olsen", "Patel", "Petrov", "Popescu", "Rahman", "Rossi", "Sato", "Schmidt",
	"Silva", "Singh", "Suzuki", "Tanaka", "Thompson", "Vargas", "Weber", "Yılmaz", "Zhang", "Ó Brien",
}

var projectAreas = []string{
	"Support", "Search", "Billing", "Catalog", "Onboarding", "Fraud", "Analytics", "Localization",
	"Documents", "Voice", "Marketing", "Recruiting", "Logistics", "Compliance", "Developer tools", "Research",
}

var projectPurposes = []string{
	"assistant", "summaries", "classification", "evaluation", "prototype", "production", "batch jobs", "staging",
}

var groupNames = []string{
	"Platform engineering", "Data science", "Customer support", "Security", "Finance", "Product design",
	"Machine learning", "Site reliability", "Legal", "Sales engineering", "Contractors", "Research",
}

var accountNames = []string{
	"ci-runner", "ingest-worker", "chat-backend", "nightly-batch", "eval-harness", "search-indexer", "webhook-relay",
}

var keyNames = []string{"laptop", "notebook", "experiments", "staging", "production", "Secret Key", "playground"}

// roleSeeds are the custom roles of a seeded organization.
var roleSeeds = []struct {
	name, description string
	permissions       []string
}{
	{"Billing viewer", "Reads usage and costs.", []string{"api.usage.read", "api.costs.read"}},
	{"Group manager", "Manages groups and who is in them.", []string{"api.groups.read", "api.groups.write"}},
	{"Auditor", "Reads the audit log.", []string{"api.audit_logs.read"}},
	{"Key rotator", "", []string{"api.organization.projects.api_keys.read", "api.organization.projects.api_keys.write"}},
	{"Project creator", "Creates projects.", []string{"api.organization.projects.write"}},
}
