# SPDX-License-Identifier: Apache-2.0
#
# Looks for an nvcc that can build the CUDA backend: on PATH, where CUDA_PATH or CUDA_HOME say, or at its
# usual places. Sets GATESCOPE_NVCC_USABLE and CMAKE_CUDA_COMPILER, or GATESCOPE_NVCC_PROBLEM. A build
# goes on without one.
set(GATESCOPE_NVCC_USABLE OFF)
find_program(GATESCOPE_NVCC nvcc
  HINTS ENV CUDA_PATH ENV CUDA_HOME PATH_SUFFIXES bin PATHS /usr/local/cuda/bin /opt/cuda/bin)
if(NOT GATESCOPE_NVCC)
  set(GATESCOPE_NVCC_PROBLEM "nvcc was not found")
  return()
endif()

execute_process(COMMAND ${GATESCOPE_NVCC} --version OUTPUT_VARIABLE nvcc_text ERROR_QUIET)
string(REGEX MATCH "release ([0-9]+\\.[0-9]+)" nvcc_text "${nvcc_text}")
if(NOT CMAKE_MATCH_1 OR CMAKE_MATCH_1 VERSION_LESS 12.0)  # the first with C++20
  set(GATESCOPE_NVCC_PROBLEM "${GATESCOPE_NVCC} is version ${CMAKE_MATCH_1}, 12.0 is needed")
  return()
endif()

# Code for Ampere and Hopper, and Hopper's PTX, which newer drivers compile for newer GPUs.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90)
endif()
# Unlike enable_language this only says so where nvcc and the C++ compiler do not get on.
if(NOT DEFINED CMAKE_CUDA_COMPILER)
  set(ENV{CUDACXX} ${GATESCOPE_NVCC})
  include(CheckLanguage)
  check_language(CUDA)
endif()
if(CMAKE_CUDA_COMPILER)
  set(GATESCOPE_NVCC_USABLE ON)
else()
  set(GATESCOPE_NVCC_PROBLEM "${GATESCOPE_NVCC} does not work with ${CMAKE_CXX_COMPILER}")
endif()
