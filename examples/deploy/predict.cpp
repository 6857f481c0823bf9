// Runs a model file from C++: the numbers of one sample on standard input, predictions on standard
// output. CMakeLists.txt beside it builds it.
#include <cstdlib>
#include <exception>
#include <iostream>
#include <vector>

#include "symk.hpp"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: " << argv[0] << " MODEL < numbers\n";
    return EXIT_FAILURE;
  }
  try {
    const symk::Model model(argv[1]);
    std::vector<int64_t> shape = model.inputs().at(0).shape;
    shape.at(0) = 1;  // the batch
    const symk::Array sample(SYMK_FLOAT32, shape);
    for (size_t i = 0; i < sample.size(); ++i) {
      if (!(std::cin >> sample.data<float>()[i])) {
        std::cerr << "the model wants " << sample.size() << " numbers; " << i << " were given\n";
        return EXIT_FAILURE;
      }
    }
    const symk::Array result = model.run({sample}).at(0);
    std::cout.precision(9);
    for (size_t i = 0; i < result.size(); ++i) std::cout << result.data<float>()[i] << "\n";
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return EXIT_FAILURE;
  }
}
