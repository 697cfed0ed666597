package session

// GPUView is a device with who has it and what was decided about it.
type GPUView struct {
	GPU
	SessionSlug string // of the active session that holds it, or empty
	SessionUser string // that session's owner
	State       GPUState
}

// GPUStatus says what may be done with a device.
type GPUStatus string

// The states of a device.
const (
	GPUFree        GPUStatus = "free"
	GPUInUse       GPUStatus = "in_use"
	GPUDisabled    GPUStatus = "disabled"    // by an admin; takes no new session
	GPUQuarantined GPUStatus = "quarantined" // by the daemon
	GPUFaulty      GPUStatus = "faulty"      // cannot be read or used
)

// Status says how the device stands, and why where it is neither free nor
// simply in use.
func (v GPUView) Status() (status GPUStatus, reason string) {
	switch {
	case v.Fault != "":
		return GPUFaulty, v.Fault
	case v.SessionSlug != "" && v.State.Disabled:
		return GPUInUse, "disabled: it takes no other session after this one"
	case v.SessionSlug != "":
		return GPUInUse, v.State.Reason
	case v.State.Reason != "":
		return GPUQuarantined, v.State.Reason
	case v.State.Disabled:
		return GPUDisabled, ""
	}
	return GPUFree, ""
}

// reading is a device in a gpu.sample event, in the API's words.
type reading struct {
	Index              int              `json:"index"`
	UUID               string           `json:"uuid"`
	Name               string           `json:"name"`
	Status             GPUStatus        `json:"status"`
	Reason             string           `json:"reason"`
	MemoryTotalBytes   int64            `json:"memory_total_bytes"`
	MemoryUsedBytes    int64            `json:"memory_used_bytes"`
	UtilisationPercent int              `json:"utilisation_percent"`
	TemperatureC       int              `json:"temperature_c"`
	PowerMilliwatts    int              `json:"power_milliwatts"`
	Processes          []processReading `json:"processes"`
	Session            *string          `json:"session"`
}

type processReading struct {
	PID             int   `json:"pid"`
	MemoryUsedBytes int64 `json:"memory_used_bytes"`
}

func readings(views []GPUView) []reading {
	out := make([]reading, len(views))
	for i, v := range views {
		r := reading{
			Index: v.Index, UUID: v.UUID, Name: v.Name,
			MemoryTotalBytes: v.MemoryTotalBytes, MemoryUsedBytes: v.MemoryUsedBytes,
			UtilisationPercent: v.UtilisationPct, TemperatureC: v.TemperatureC, PowerMilliwatts: v.PowerMilliwatts,
			Processes: []processReading{},
		}
		r.Status, r.Reason = v.Status()
		for _, p := range v.Processes {
			r.Processes = append(r.Processes, processReading(p))
		}
		if v.SessionSlug != "" {
			r.Session = &v.SessionSlug
		}
		out[i] = r
	}
	return out
}
