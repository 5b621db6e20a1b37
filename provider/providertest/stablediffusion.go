package providertest

import "encoding/json"

// StableDiffusion is the server of package stablediffusion, which puts a grid before
// several pictures.
func StableDiffusion() Service {
	return Service{Submits: map[string]Endpoint{"/": func(s *Server, body []byte) []byte {
		var asked struct {
			Prompt string
			Batch  int `json:"batch_size"`
		}
		json.Unmarshal(body, &asked)
		j := s.Begin("", asked.Prompt, asked.Batch, body)
		info := map[string]any{"sd_model_name": "test", "version": "v1.10.1", "index_of_first_image": 0}
		var images [][]byte
		if j.Images > 1 {
			images = append(images, Picture("grid"))
			info["index_of_first_image"] = 1
		}
		var seeds []int
		for i := range j.Images {
			images, seeds = append(images, Picture(j.Seed(i))), append(seeds, 42+i)
		}
		info["all_seeds"] = seeds
		return must(json.Marshal(map[string]any{"images": images, "parameters": json.RawMessage(body), "info": string(must(json.Marshal(info)))}))
	}}}
}
